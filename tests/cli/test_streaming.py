"""`medloop stream`: what arrives in a folder is judged, and the verdict stands in the status."""

import json
import signal
import subprocess
from pathlib import Path

from medloop.images.nifti import write_image
from medloop.images.phantoms import phantom_3d

from .conftest import SHAPE, Medloop, command_line


def arrive(folder: Path, indices: range) -> None:
    """Images without labels."""
    folder.mkdir(exist_ok=True)
    for index in indices:
        write_image(folder / f"scan{index}.nii.gz", phantom_3d(index, 2, SHAPE).image)


def test_a_stream_needs_its_setting_and_its_folder(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    said = medloop("stream", project, "--watch", tmp_path / "gone")
    assert (said.status, "a folder that exists" in said.err) == (2, True)
    said = medloop("stream", project, "--watch", tmp_path)
    assert (said.status, "stream=rate" in said.err) == (2, True)


def test_what_arrives_is_judged_by_the_model_and_shown_in_the_status(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    assert medloop("configure", project, "stream=fixed", "stream_budget=0.99", "audit_fraction=0").status == 0
    arrive(tmp_path / "arriving", range(50, 52))
    said = medloop("stream", project, "--watch", tmp_path / "arriving", "--once")
    assert (said.status, "No model is there yet" in said.err) == (0, True)
    assert medloop("train", project).status == 0
    arrive(tmp_path / "arriving", range(52, 54))
    said = medloop("stream", project, "--watch", tmp_path / "arriving", "--once", "--json")
    assert said.status == 0
    new = {one["case"]: one["annotate"] for one in json.loads(said.out)}
    assert {"scan52", "scan53"} <= set(new)
    judged = json.loads(medloop("status", project, "--json").out)["stream"]
    assert judged["judged"] >= 4
    assert "judged on arrival" in medloop("status", project).out
    refused = medloop("query", project)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.endswith("medloop: Nothing is queried from the pool while stream is fixed; medloop configure DIR stream=off\n")


def test_a_folder_that_goes_away_is_waited_for_and_read_again_when_it_is_back(medloop: Medloop, tmp_path: Path) -> None:
    project, watch = tmp_path / "p", tmp_path / "arriving"
    assert medloop("init", project, "--kind", "segmentation", "--label", "large", "--stream", "rate").status == 0
    arrive(watch, range(50, 51))
    heard = {"stderr": subprocess.PIPE, "text": True, "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(command_line("stream", project, "--watch", watch, "--every", 0.1), **heard) as process:
        watched(process, watch, tmp_path / "away")
    assert process.returncode == 1
    assert json.loads(medloop("status", project, "--json").out)["counts"]["total"] == 2


def watched(process: "subprocess.Popen[str]", watch: Path, away: Path) -> None:
    assert process.stderr is not None
    assert "No model is there yet" in process.stderr.readline()
    watch.rename(away)
    while "not taken: " not in (line := process.stderr.readline()):
        assert line, "the watcher ended"
    assert "looking again when the folder changes" in line
    arrive(away, range(51, 52))
    (away / "half.nii.gz").write_bytes(b"half a file")
    away.rename(watch)
    while "left out: half" not in (line := process.stderr.readline()):
        assert line, "the watcher ended"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
