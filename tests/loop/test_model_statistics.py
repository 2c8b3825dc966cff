"""A model with statistics of what it learned from, from a site without its images to another."""

import json
import pickle

import pytest

from medloop.core.errors import FormatError, InputError
from medloop.core.records import Case
from medloop.loop.data.exporting import export_project
from medloop.loop.data.model_statistics import FEWEST, FILE, compared_with, imported_drift, read_statistics
from medloop.loop.data.outside_models import import_model
from medloop.loop.learning.federated import Site

from .test_federated_sites import agreed, told

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def with_model(workspace):
    terms, first = agreed(workspace)
    Site(workspace, "north", lambda _: None).keep(told(terms, "north"), first)
    return workspace


def test_a_model_goes_with_statistics_and_the_other_site_is_told_how_its_cases_differ(make_workspace, tmp_path):
    north = with_model(make_workspace(["train"] * FEWEST, labelled=FEWEST, name="north"))
    export_project(north, tmp_path / "out", "shared-model")
    found = json.loads((tmp_path / "out" / FILE).read_text())
    assert (found["patients"], found["channels"]) == (FEWEST, 1)
    assert found["labels"]["large"]["share_of_patients"] == 1.0
    assert found["labels"]["large"]["median_ml"] > 0
    text = json.dumps(found)
    assert not any(name in text for name in ("case0", "patient0", "phantom")), "no name of a case or patient"
    south = make_workspace(["train", "train"], name="south")
    report = import_model(south, tmp_path / "out", name="north")
    assert len(report.predicted) == 2
    assert f"the {FEWEST} patients that it learned from" in report.notes[-1]
    with south.store.read() as tx:
        cases = tx.find(Case)
    moved = {name: {**one, "mean": one["mean"] - 9 * one["deviation"]} for name, one in found["appearance"].items()}
    (line,) = compared_with(south, {**found, "appearance": moved}, cases)
    assert "differ from" in line
    assert "deviations" in line
    (line,) = imported_drift(south)
    assert line.startswith("imported model north, images against the statistics of its training patients: 2 cases here")
    assert imported_drift(south, since="2999-01-01") == imported_drift(north) == []
    assert compared_with(south, {**found, "channels": 3}, cases) == ["no case here has the 3 channels of those that it learned from"]


def test_few_patients_are_not_summed_up(make_workspace, tmp_path):
    north = with_model(make_workspace(["train"] * 3, labelled=3))
    with pytest.raises(InputError, match=f"need {FEWEST} training patients, model 1 has 3"):
        export_project(north, tmp_path / "out", "shared-model")
    assert not (tmp_path / "out").exists()


WHOLE = {"medloop_statistics": 1, "cases": 1, "patients": 1, "channels": 1, "labels": {}, "appearance": {}}
OFF = [
    {"medloop_statistics": 2},
    {"cases": None},
    *({"appearance": {"x": {"mean": mean, "deviation": 1}}} for mean in (float("nan"), "1", True)),
]


@pytest.mark.parametrize("content", [pickle.dumps(WHOLE), b"[]", *(json.dumps({**WHOLE, **off}).encode() for off in OFF)])
def test_a_file_that_is_no_statistics_is_refused(content, tmp_path):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(FormatError, match="no statistics of a model"):
        read_statistics(tmp_path)
    assert read_statistics(tmp_path / "elsewhere") == {}
