import csv
import json
from pathlib import Path

from .conftest import Medloop


def test_answers_are_measured_in_a_table(medloop: Medloop, project: Path):
    lines = medloop("measure", project).out.splitlines()
    assert lines[0].split()[:5] == ["case", "measured", "label", "measure", "value"]
    assert len(lines) == 1 + 6 * 2 * 5  # cases, labels, measures
    assert any("volume" in line and " ml " in line for line in lines)


def test_the_table_can_be_json_or_a_file(medloop: Medloop, project: Path, tmp_path: Path):
    said = json.loads(medloop("measure", project, "--json").out)
    out = tmp_path / "measures.csv"
    assert medloop("measure", project, "--out", out).status == 0
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    first = said[0]["measures"][0]
    assert (rows[0]["label"], rows[0]["measure"], float(rows[0]["value"])) == (first["label"], first["name"], first["value"])
    assert len(rows) == 60


def test_wrong_use_is_told(medloop: Medloop, project: Path, tmp_path: Path):
    assert medloop("measure", project, "--of", "nobody").status == 2
    assert medloop("measure", project, "--out", tmp_path).status == 2
    assert json.loads(medloop("measure", project, "--of", "prediction", "--json").out) == []


def test_tags_have_no_size(medloop: Medloop, tmp_path: Path):
    folder = tmp_path / "tags"
    assert medloop("init", folder, "--kind", "classification", "--label", "healthy", "--label", "lesion").status == 0
    said = medloop("measure", folder)
    assert (said.status, "masks" in said.err) == (1, True)
