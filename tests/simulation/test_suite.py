"""Study files: checked when read, every mistake in one line that names the key."""

from pathlib import Path

import pytest

from medloop.core.errors import FormatError, NotFoundError, SettingError
from medloop.simulation.suite import Suite, read_suite, suite_of

FILE = """
strategies = ["entropy"]
seeds = [0, 1]
steps = 20
outline_error_mm = 1

[[budgets]]
name = "small"
start = 3
batch = 2
rounds = 2

[[budgets]]
start = 4
batch = 3
rounds = 3

[[datasets]]
path = "data/brains"
steps = 30

[[datasets]]
path = "../chests.csv"
budgets = [{ start = 9, batch = 1, rounds = 2 }]
"""


def written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(text)
    return folder / "study.toml"


def test_every_data_set_meets_every_budget(tmp_path):
    parts = read_suite(written(tmp_path / "here", FILE)).parts
    assert [p.name for p in parts] == ["brains-small", "brains-4+2x3", "chests-9+1x1"]
    assert [p.design.labelled for p in parts] == [(3, 5), (4, 7, 10), (9, 10)]
    assert [p.design.steps for p in parts] == [30, 30, 20]
    assert all(p.design.outline_error_mm == 1 and p.design.seeds == (0, 1) for p in parts)


def test_paths_start_at_the_file(tmp_path):
    parts = read_suite(written(tmp_path / "here", FILE)).parts
    assert parts[0].design.dataset == str(tmp_path / "here/data/brains")
    assert parts[2].design.dataset == str(tmp_path / "chests.csv")


def test_without_budgets_the_study_has_its_own():
    (part,) = suite_of({"strategies": ["random"], "start": 5, "datasets": [{"path": "d"}]}, Path("/")).parts
    assert (part.name, part.design.start) == ("d", 5)


def test_a_suite_survives_json(tmp_path):
    suite = read_suite(written(tmp_path, FILE))
    assert Suite.from_json(suite.to_json()) == suite


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "A study file has no setting 'colour'; it has annotators, batch, budgets, cases, cold_start, datasets"),
        ({"datasets": [{"path": "d", "seeds": [1]}]}, "A data set has no setting 'seeds'; it has annotators, budgets, cases"),
        ({"budgets": [{"size": 3}]}, "A budget has no setting 'size'; it has batch, name, rounds, start"),
        ({"datasets": []}, r"at least one \[\[datasets\]\]"),
        ({"datasets": [{"name": "d"}]}, "A data set needs a path, got None"),
        ({"datasets": {"path": "d"}}, "datasets must be a list of tables"),
        ({"datasets": [{"path": "a/d"}, {"path": "b/d"}]}, "a name of its own, got 'd' twice"),
        ({"datasets": [{"path": "d", "name": "//"}]}, "A name needs letters or digits"),
        ({"steps": "many"}, "steps must be a whole number, got 'many'"),
        ({"budgets": [{"start": 1}]}, "start must lie between 2"),
        ({"strategies": 3}, "strategies must be a list of names, got 3"),
    ],
)
def test_mistakes_are_named_in_one_line(change, message):
    with pytest.raises(SettingError, match=message) as caught:
        suite_of({"strategies": ["random"], "datasets": [{"path": "d"}], **change}, Path("/"))
    assert "\n" not in str(caught.value)


def test_what_is_no_study_file_is_refused(tmp_path):
    with pytest.raises(NotFoundError, match="No such study file"):
        read_suite(tmp_path / "none.toml")
    with pytest.raises(FormatError, match=r"study\.toml is no TOML") as caught:
        read_suite(written(tmp_path, "steps = = 3"))
    assert "\n" not in str(caught.value)
