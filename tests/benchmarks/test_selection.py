"""The comparison of selection speed runs, agrees with plain numpy, and says which library is missing."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "selection.py"


def run(tmp_path, *options):
    written = tmp_path / "selection.json"
    command = [sys.executable, str(SCRIPT), "--scale", "0.001", "--json", str(written), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, {m["side"]: m for m in json.loads(written.read_text())["measured"]}


def test_a_small_comparison_measures_every_side_that_is_installed(tmp_path):
    printed, sides = run(tmp_path, "--only", "margin")
    assert "| medloop |" in printed
    assert len(sides["medloop"]["picks"][0]) == 100
    assert len(set(sides["medloop"]["picks"][0]) & set(sides["numpy"]["picks"][0])) >= 99
    assert all(m["cpu_s"] or m["failure"] == "not installed" for m in sides.values())


def test_embeddings_of_a_folder_are_used(tmp_path):
    np.save(tmp_path / "features.npy", np.random.default_rng(0).normal(size=(60, 8)))
    _, given = run(tmp_path, "--only", "entropy", "--data", str(tmp_path))
    _, synthetic = run(tmp_path, "--only", "entropy")
    assert given["medloop"]["picks"] != synthetic["medloop"]["picks"]
