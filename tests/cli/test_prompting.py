import signal
from pathlib import Path

import numpy as np
import pytest
from nnInteractive.inference.remote import nnInteractiveRemoteInferenceSession

from medloop.core.records import Assignment, Case
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.workspace import Workspace

from ..interaction.flat_network import AsBright, save
from .conftest import Medloop
from .test_serving import start, stop


def test_a_front_end_draws_with_a_promptable_network_until_the_server_is_told_to_stop(project: Path, tmp_path: Path):
    weights = save(AsBright(), tmp_path / "net.pt")
    process = start("nninteractive", project, "--port", 0, "--weights", weights, MEDLOOP_NNINTERACTIVE_KEY="secret")
    assert process.stderr is not None
    line = process.stderr.readline()
    address = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
    image = np.zeros((1, 6, 32, 32), dtype=np.int16)
    image[0, 1:4, 10:20, 8:16] = 700
    with nnInteractiveRemoteInferenceSession(address, api_key="secret") as session:
        assert "promptable-as-bright" in session.license
        session.set_image(image, {"spacing": [3.0, 1.0, 1.0]})
        session.set_target_buffer(np.zeros(image.shape[1:], dtype=np.uint8))
        assert session.add_point_interaction((2, 15, 12), include_interaction=True) == [[1, 4], [10, 20], [8, 16]]
        assert np.array_equal(session.target_buffer != 0, image[0] != 0)
    assert stop(process, signal.SIGTERM) == (0, "")


def test_what_a_front_end_draws_on_a_case_is_kept_as_a_persons_draft(project: Path):
    with Workspace.open(project) as workspace, workspace.store.read() as tx:
        case = tx.find(Case, limit=1)[0]
        array = load_image(workspace.store.blobs, case).array
    process = start("nninteractive", project, "--port", 0, "--axes", "ijk", "--engine", "classical", "--annotator", "Ann")
    assert process.stderr is not None
    address = next(word for word in process.stderr.readline().split() if word.startswith("http://127.0.0.1:"))
    with nnInteractiveRemoteInferenceSession(address) as session:
        session.set_image(array)
        session.set_target_buffer(np.zeros(array.shape[1:], dtype=np.uint8))
        session.add_point_interaction(tuple(n // 2 for n in case.grid.shape), include_interaction=True)
        drawn = session.target_buffer.copy()
    assert stop(process, signal.SIGTERM) == (0, "")
    with Workspace.open(project) as workspace:
        person = annotator_named(workspace, "Ann")
        with workspace.store.read() as tx:
            (assignment,) = tx.find(Assignment, where={"case_id": case.id, "annotator_id": person.id, "state": "open"})
        assert np.count_nonzero(drawn) > 0
        assert (read_draft(workspace, assignment.id).mask[drawn != 0] > 0).all()


@pytest.mark.parametrize(
    ("options", "status", "rule"),
    [
        (["--host", "0.0.0.0"], 2, "Beyond loopback front ends give a key of 16 characters"),
        (["--axes", "xyz"], 2, "--axes must be one of kji, ijk"),
        (["--engine", "magic"], 2, "--engine must be one of"),
        (["--key", "två"], 2, "printable ASCII"),
        (["--label", "spleen", "--weights", "gone.pt"], 2, "--label must be one of the task's labels"),
        (["--weights", "gone.pt"], 1, "gone.pt is not a file"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(project: Path, medloop: Medloop, options: list[str], status: int, rule: str):
    said = medloop("nninteractive", project, *options)
    assert (said.status, said.err.count("\n")) == (status, 1)
    assert rule in said.err


def test_a_project_without_masks_has_nothing_to_draw(medloop: Medloop, tmp_path: Path):
    Workspace.create(tmp_path / "tags", name="tags", kind="classification", labels=["no", "yes"]).close()
    said = medloop("nninteractive", tmp_path / "tags")
    assert said.status == 2
    assert "Front ends draw masks" in said.err
