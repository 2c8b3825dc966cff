"""medloop marks: list, take and write; a source brings its marks along."""

import json
from pathlib import Path

from medloop.loop.foundation.workspace import Workspace

from .conftest import Medloop

TAG = {"kind": "tag", "label": 1, "present": True}


def unlabelled(project: Path) -> str:
    """Name of a training case without an annotation."""
    with Workspace.open(project) as workspace, workspace.store.read() as tx:
        return tx.unlabelled_cases(["train"])[0].name


def document(path: Path, case: str, **more: object) -> Path:
    path.write_text(
        json.dumps({"cases": [{"case": case, "annotator": "Jörg", "marks": [TAG], **more}, {"case": "nobody", "marks": [TAG]}]})
    )
    return path


def test_marks_are_taken_listed_written_and_told_of(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    name = unlabelled(project)
    taken = medloop("marks", project, "--import", document(tmp_path / "in.json", name, effort_seconds=30))
    assert "left out: nobody: The project has no case 'nobody'" in taken.err
    assert taken.out == "marks: 1 case with new marks, 0 unchanged, 1 left out\n"
    (line,) = json.loads(medloop("marks", project, "--json").out)
    assert line == {"case": name, "annotator": "Jörg", "effort_seconds": 30.0, "marks": {"tag": 1}}
    assert medloop("marks", project, "--out", tmp_path / "out.json").status == 0
    assert json.loads((tmp_path / "out.json").read_text())["cases"][0]["case"] == name
    assert "1 case known by marks alone" in medloop("status", project).out
    assert medloop("marks", project, "--out", tmp_path / "out.json").status == 1
    assert medloop("marks", project, "--import", tmp_path / "in.json", "--out", tmp_path / "x.json").status == 2
    exported = medloop("export", project, tmp_path / "masks", "--format", "nifti")
    assert "known by marks alone" in exported.err
    assert (tmp_path / "masks/marks.json").is_file()


def test_nothing_taken_is_a_failure(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    path.write_text(json.dumps({"cases": [{"case": "nobody", "marks": [TAG]}]}))
    assert medloop("marks", project, "--import", path).status == 1


def test_a_source_brings_its_marks_along(medloop: Medloop, project: Path, dataset: Path) -> None:
    document(dataset / "marks.json", unlabelled(project))
    asked = medloop("import", project, dataset, "--annotations", "none")
    assert "marks.json was not requested" in asked.err
    assert "marks: 1 case with new marks" in medloop("import", project, dataset).out
