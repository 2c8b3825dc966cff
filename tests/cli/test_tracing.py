"""medloop trace: a file in, a mask or prompts out, the project as it was."""

import json
from pathlib import Path

import numpy as np
import pytest

from medloop.core.records import Annotation, Case
from medloop.images.read import read_mask
from medloop.interaction.prompts import Scribble, prompt_from_json
from medloop.loop.foundation.workspace import Workspace
from medloop.metrics.overlap import dice
from tests.cli.conftest import Medloop
from tests.loop.films import add_film, film


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with one film, and a trace over the disc of its third frame."""
    with Workspace.create(tmp_path / "p", name="Films", kind="segmentation", labels=["wall", "cavity"]) as workspace:
        add_film(workspace)
    rows = [f"{n * 0.05:.2f},{i},{j},2" for n, (i, j) in enumerate(np.argwhere(film()[1][..., 2]))]
    (tmp_path / "trace.csv").write_text("\n".join(["time,x,y,frame", *rows]))
    return tmp_path


def test_a_trace_becomes_a_mask_on_the_grid_of_the_case(folder: Path, medloop: Medloop) -> None:
    said = medloop("trace", folder / "p", "loop", folder / "trace.csv", "--label", "Cavity", "--out", folder / "m.nii.gz", "--json")
    assert said.status == 0, said.err
    assert json.loads(said.out)["slices"] == [2]
    with Workspace.open(folder / "p") as workspace, workspace.store.read() as tx:
        (case,) = tx.find(Case)
        assert tx.find(Annotation) == []
    mask = read_mask(folder / "m.nii.gz", case.grid).array
    assert dice(mask[..., 2], film()[1][..., 2].astype(np.uint8) * 2, [2])[2] > 0.85


def test_prompts_are_strokes_of_the_label(folder: Path, medloop: Medloop) -> None:
    said = medloop("trace", folder / "p", "loop", folder / "trace.csv", "--out", folder / "p.json")
    assert said.status == 0, said.err
    (prompt,) = [prompt_from_json(one) for one in json.loads((folder / "p.json").read_text())]
    assert isinstance(prompt, Scribble)
    assert prompt.label == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--label", "ghost", "--out", "x.nii.gz"), "no label 'ghost'"),
        (("--out", "x.png"), ".nii.gz for a mask or .json for prompts"),
    ],
)
def test_wrong_use_is_one_line(folder: Path, medloop: Medloop, more: tuple[str, ...], words: str) -> None:
    said = medloop("trace", folder / "p", "loop", folder / "trace.csv", *more)
    assert said.status != 0
    assert words in said.err
    assert len(said.err.strip().splitlines()) == 1
