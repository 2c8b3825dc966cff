import csv
import json
from pathlib import Path

from medloop.core.records import Case
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.workspace import Workspace

from .conftest import Medloop


def names_in(project: Path) -> list[str]:
    with Workspace.open(project) as workspace:
        configure(workspace, settings={"cold_start": "descriptors"})
        with workspace.store.read() as tx:
            return [case.name for case in tx.find(Case, where={"split": "train"}, order=("name",))]


def test_the_map_is_a_table_and_says_what_it_explains(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    names_in(project)
    said = medloop("map", project, "--out", tmp_path / "map.csv")
    assert said.status == 0, said.err
    assert "the axes explain" in said.out
    lines = list(csv.DictReader((tmp_path / "map.csv").read_text().splitlines()))
    document = json.loads(medloop("map", project, "--json").out)
    assert [line["case"] for line in lines] == [point["name"] for point in document["points"]]
    assert document["map"]["described"] == "images"


def test_words_that_are_none_and_files_that_cannot_be_are_refused_in_a_line(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    for wrong in (["--layout", "umap"], ["--described", "smell"], ["--out", tmp_path], ["--out", tmp_path / "gone" / "map.csv"]):
        said = medloop("map", project, *wrong)
        assert (said.status, said.err.count("\n")) == (2, 1), said.err
    said = medloop("map", project, "--described", "model")
    assert (said.status, "No model is in use" in said.err) == (1, True)


def test_cases_of_a_file_are_queried_as_a_persons_choice(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    names = names_in(project)
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(f"{names[0]}\n\n {names[-1]}\n")
    found = json.loads(medloop("query", project, "--among", wanted, "--json").out)
    assert found["strategy"] == "by hand"
    assert {one["case"] for one in found["choices"]} <= {names[0], names[-1]}
    again = medloop("query", project, "--among", wanted)
    assert (again.status, "can be queried" in again.err) == (1, True)
    wanted.write_text("nobody\n")
    assert "No case is called nobody" in medloop("query", project, "--among", wanted).err
    assert medloop("query", project, "--among", wanted, "--strategy", "random").status == 2
    assert medloop("query", project, "--among", tmp_path / "gone.txt").status == 1
    (tmp_path / "latin.txt").write_bytes("Müller".encode("latin-1"))
    assert "names of cases are text in UTF-8" in medloop("query", project, "--among", tmp_path / "latin.txt").err
