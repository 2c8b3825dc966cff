"""Labels inside labels from the command line."""

import json
from pathlib import Path

from .conftest import Medloop


def test_a_label_inside_another_is_declared_at_the_beginning_and_later(medloop: Medloop, tmp_path: Path) -> None:
    made = tmp_path / "q"
    labels = ("--label", "liver", "--label", "tumour", "--label", "spleen")
    assert medloop("init", made, "--kind", "segmentation", *labels, "--inside", "tumour=liver").status == 0
    shown = json.loads(medloop("configure", made, "--json").out)["task"]["labels"]
    assert [label["inside"] for label in shown] == [None, 1, None]
    assert medloop("configure", made, "--inside", "tumour=spleen").out.splitlines() == ["tumour lies inside: liver → spleen (at once)"]
    assert medloop("configure", made, "--inside", "tumour=").out.splitlines() == ["tumour lies inside: spleen → (none) (at once)"]


def test_nonsense_is_refused_in_one_line_and_makes_nothing(medloop: Medloop, tmp_path: Path) -> None:
    made = tmp_path / "q"
    said = medloop("init", made, "--kind", "segmentation", "--label", "liver", "--label", "tumour", "--inside", "tumour=livr")
    assert (said.status, said.err.count("\n"), made.exists()) == (1, 1, False)
    assert "There is no label 'livr' in tumour=livr; use some of liver, tumour" in said.err
    circle = ("--inside", "tumour=liver", "--inside", "liver=tumour")
    said = medloop("init", made, "--kind", "segmentation", "--label", "liver", "--label", "tumour", *circle)
    assert "in a circle, got liver inside tumour inside liver" in said.err
