"""Labels inside labels, and labels that overlap, from the command line."""

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


def test_overlaps_are_declared_added_and_ended(medloop: Medloop, tmp_path: Path) -> None:
    made = tmp_path / "q"
    labels = ("--label", "vessel", "--label", "tumour", "--label", "rib")
    assert medloop("init", made, "--kind", "segmentation", *labels, "--overlap", "vessel=tumour").status == 0
    assert medloop("configure", made, "--overlap", "vessel=rib").out.splitlines() == [
        "vessel overlaps: tumour → tumour, rib (at once)",
        "rib overlaps: (none) → vessel (at once)",
    ]
    shown = json.loads(medloop("configure", made, "--json").out)["task"]["labels"]
    assert [label["overlaps"] for label in shown] == [[2, 3], [1], [1]]
    assert medloop("configure", made, "--overlap", "vessel=").out.splitlines()[0] == "vessel overlaps: tumour, rib → (none) (at once)"


def test_overlaps_that_cannot_be_are_refused_in_one_line(medloop: Medloop, tmp_path: Path) -> None:
    labels = ("--label", "vessel", "--label", "tumour")
    for more, rule in (
        (("--overlap", "vessel=vessel"), "A label overlaps others, got 'vessel' with itself"),
        (("--overlap", "vessel=rib"), "There is no label 'rib' in vessel=rib"),
        (("--inside", "tumour=vessel", "--overlap", "vessel=tumour"), "'tumour' lies inside 'vessel'"),
    ):
        said = medloop("init", tmp_path / "q", "--kind", "segmentation", *labels, *more)
        assert (said.status, said.err.count("\n"), (tmp_path / "q").exists()) == (1, 1, False)
        assert rule in said.err
    said = medloop("init", tmp_path / "c", "--kind", "classification", *labels, "--overlap", "vessel=tumour")
    assert "Only labels of masks lie inside others or overlap, this is a classification" in said.err
