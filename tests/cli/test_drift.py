import json
from pathlib import Path

from medloop.loop.foundation.workspace import Workspace

from ..loop.conftest import FAST
from ..loop.shifted import add_pool, judged_model
from .conftest import Medloop


def shifted(folder: Path, *, dark: int) -> Path:
    with Workspace.create(folder / "p", name="p", kind="segmentation", labels=["organ"], settings=FAST) as workspace:
        model = judged_model(workspace, training=8, evaluated=12)
        add_pool(workspace, model, range(200, 200 + dark), contrast=-60.0, scanner="B")
    return folder / "p"


def test_without_a_model_the_way_out_is_named(medloop: Medloop, project: Path) -> None:
    said = medloop("drift", project)
    assert (said.status, said.err.count("\n")) == (1, 1)
    assert "A drift report needs a model, got none" in said.err


def test_a_dark_scanner_is_said_to_drift_and_triage_refuses_it(medloop: Medloop, tmp_path: Path) -> None:
    folder = shifted(tmp_path, dark=8)
    said = medloop("drift", folder)
    assert said.status == 0
    assert "scanner B: drift; 8 cases of 8 patients against 12 cases of all evaluated patients (12 patients)" in said.out
    assert "its measured quality and risk do not hold" in said.out
    found = json.loads(medloop("drift", folder, "--by", "all", "--json").out)
    assert (found["by"], len(found["cases"]), found["groups"][0]["verdict"]) == ("all", 8, "drift")
    sorted_out = medloop("triage", folder).out
    assert "accept: 0;" in sorted_out
    assert "scanner B is refused as a whole" in sorted_out
    assert "not accepted; medloop drift says more" in sorted_out
    assert "accept: 8;" in medloop("triage", folder, "--check", "none").out
    assert medloop("triage", folder, "--check", "maybe").status == 2
    assert medloop("drift", folder, "--since", "monday").status == 2
