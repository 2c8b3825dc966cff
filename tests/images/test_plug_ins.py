"""Readers of other packages, installed as packages are: a broken one leaves files out by its name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from medloop.images.nifti import write_image
from medloop.images.phantoms import phantom_3d
from medloop.images.read import READER_GROUP

CODE = """
class Careful:
    name = "careful"
    def accepts(self, path): return False

class Accepting(Careful):
    def accepts(self, path): raise RuntimeError("no first bytes")

class Reading(Careful):
    def accepts(self, path): return True
    def read(self, path, purpose): return path.voxels

class Starting(Careful):
    def __init__(self): raise OSError("no licence")
"""
READ = "import sys; from medloop.images.read import read_image; print(read_image(sys.argv[1]).image.grid.shape)"


def read_with(reader: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """A process that reads an image with this reader installed."""
    facts = folder / "other_readers-1.0.dist-info"
    facts.mkdir()
    (folder / "other_readers.py").write_text(CODE)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: other-readers\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[{READER_GROUP}]\nother = other_readers:{reader}\n")
    image = folder / "case.nii.gz"
    write_image(image, phantom_3d(0, 1, (12, 10, 8)).image)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([sys.executable, "-c", READ, str(image)], capture_output=True, text=True, env=environment, check=False)


def test_a_reader_that_knows_no_file_leaves_them_to_the_others(tmp_path: Path) -> None:
    assert read_with("Careful", tmp_path).stdout == "(12, 10, 8)\n"


@pytest.mark.parametrize(
    ("reader", "problem"),
    [("Accepting", "no first bytes"), ("Reading", "AttributeError"), ("Starting", "no licence"), ("Absent", "AttributeError")],
)
def test_a_reader_that_fails_is_named_with_the_file(reader: str, problem: str, tmp_path: Path) -> None:
    said = read_with(reader, tmp_path).stderr.strip().splitlines()[-1]
    assert "FormatError: case.nii.gz" in said
    assert f"'other' of other_readers:{reader}" in said
    assert problem in said
