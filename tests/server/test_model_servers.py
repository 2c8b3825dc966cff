"""A server of models as proposer and as engine: real servers in processes of their own, and servers that speak wrongly."""

import gzip
import http.server
import json
import multiprocessing
import re
import shutil
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medloop.core.errors import MedloopError, NotFoundError, SettingError, UnavailableError
from medloop.core.records import Assignment, Case, Model, Prediction, Source
from medloop.images.phantoms import phantom_3d
from medloop.interaction.prompts import Point
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.engines import choose_engine
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.data.outside_maps import OutsideMap
from medloop.loop.data.outside_models import HowToRun, import_model
from medloop.loop.data.outside_proposals import keep_proposal
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_proposal
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.follow_up import follow_up
from medloop.loop.foundation.outside import arranged
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import drain
from medloop.server.nninteractive.running import Offer, project_engine, serve_project
from tests.server.conftest import CASES, SHAPE, Served, add_phantom

QUIET = {"MEDLOOP_WORKER": "0", "MEDLOOP_ASSISTANT": "0"}
PATIENT = "Rumpelstilz"
WARD = HowToRun(server="ward")


def theirs(index: int) -> np.ndarray:
    """What the other project proposes: its label 1 is called large, 2 small."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[1 + index % 3 : 6, 2:7, 1:5], mask[7:10, 3:6, 2:6] = 1, 2
    return mask


def listed(workspace: Workspace, url: str, *, hosts: str = "127.0.0.1", **more: str) -> None:
    lines = [f"hosts = ['{hosts}']", "[servers.ward]", f"url = '{url}'", *[f"{key} = '{value}'" for key, value in more.items()]]
    (workspace.folder / "model-servers.toml").write_text("\n".join(lines))
    (workspace.folder / "model-servers.toml").chmod(0o600)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A project with the same images, its labels the other way round, under names that must not leave."""
    with Workspace.create(tmp_path / "mine", name="mine", kind="segmentation", labels=["small", "large"]) as made:
        for index in range(2):
            take(made, index)
        yield made


def take(workspace: Workspace, index: int) -> Case:
    phantom = phantom_3d(index, 3, shape=SHAPE)
    source = Source(format="nifti", names=(f"{PATIENT}-{index}.nii.gz",), sha256=f"{index:064d}")
    return add_case(workspace, phantom.image, NewCase(name=f"{PATIENT}-{index}", patient=PATIENT, split="train", source=source))


@pytest.fixture
def other(folder: Path, start: Callable[..., Served]) -> str:
    """The address of another project's MONAI Label surface, in a process of its own."""
    with Workspace.open(folder) as served:
        add_phantom(served, CASES)
        with served.store.read() as tx:
            cases = tx.find(Case, order=("name",))
        for case in cases[:3]:
            keep_proposal(served, "somebody", case, OutsideMap(theirs(int(case.name[-1]) if case.name[-1].isdigit() else 0)), "test")
        project = served.project.id
    return f"{start(folder, **QUIET).url}monai/{project}"


def proposals(workspace: Workspace) -> dict[str, np.ndarray]:
    with workspace.store.read() as tx:
        found = [(tx.get(Case, p.case_id), p) for p in tx.find(Prediction)]
    return {case.name: load_proposal(workspace.store.blobs, p, case) for case, p in found}


def test_a_monai_label_server_proposes_by_the_names_of_labels_also_for_cases_that_come_later(workspace: Workspace, other: str) -> None:
    listed(workspace, other)
    done = import_model(workspace, "segmentation", name="ward", how=WARD)
    assert (done.predicted, done.refused) == ((f"{PATIENT}-0", f"{PATIENT}-1"), ())
    swapped = np.array([0, 2, 1], dtype=np.uint8)
    for index in range(2):
        assert np.array_equal(proposals(workspace)[f"{PATIENT}-{index}"], swapped[theirs(index)])
    ann = annotator_named(workspace, "Ann")
    with workspace.store.read() as tx:
        cases = {case.name: case for case in tx.find(Case)}
    drawn = open_case(workspace, cases[f"{PATIENT}-0"].id, ann.id).assignment
    save_patch(workspace, drawn.id, Edit(drawn.revision, [(0, 5, 1)]))
    expert = submit(workspace, open_case(workspace, cases[f"{PATIENT}-1"].id, ann.id).assignment.id, Submitted())
    before = read_draft(workspace, drawn.id).mask
    late = take(workspace, 2)  # as an import, the watched folder, the listener and an upload add it
    assert [job.kind for job in workspace.store.jobs.list(limit=10) if job.state == "queued"].count("propose") == 1
    drain(workspace)
    assert np.array_equal(proposals(workspace)[late.name], swapped[theirs(2)])
    assert np.array_equal(read_draft(workspace, drawn.id).mask, before)
    with workspace.store.read() as tx:
        assert [a.id for a in tx.current_annotations()] == [expert.id]
        (model,) = tx.find(Model)
        runs = tx.events_about("proposer", [model.id], verbs=["run"])
        assert [event.body["cases"] for event in runs] == [2, 1]
        assert model.metrics["file"] == "segmentation on ward"
        assert not any(PATIENT in json.dumps(event.body) for event in runs)
    opened = open_case(workspace, late.id, ann.id)
    with workspace.store.read() as tx:
        assert tx.get(Assignment, opened.assignment.id).began_with == "prediction"
    import_model(workspace, "segmentation", name="ward", how=HowToRun(server="ward", once=True))
    take(workspace, 3)
    follow_up(workspace)
    assert not [job for job in workspace.store.jobs.list(limit=10) if job.state == "queued" and job.kind == "propose"]


def test_a_server_must_be_listed_twice_and_speak_what_is_needed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match=r"model-servers\.toml, which cannot be read"):
        import_model(workspace, "segmentation", name="ward", how=WARD)
    listed(workspace, "http://127.0.0.1:9/monai/p", hosts="elsewhere")
    with pytest.raises(SettingError, match=r"The host 127\.0\.0\.1 is not allowed"):
        import_model(workspace, "segmentation", name="ward", how=WARD)
    listed(workspace, "http://127.0.0.1:9/monai/p")
    with pytest.raises(UnavailableError, match="The server ward does not respond"):
        import_model(workspace, "segmentation", name="ward", how=WARD)
    with pytest.raises(NotFoundError, match="lists no server 'nobody'"):
        import_model(workspace, "segmentation", name="ward", how=HowToRun(server="nobody"))
    monkeypatch.setenv("MEDLOOP_MODEL_HOSTS", "pacs.example")
    with pytest.raises(SettingError, match="is not allowed"):
        import_model(workspace, "segmentation", name="ward", how=WARD)
    monkeypatch.delenv("MEDLOOP_MODEL_HOSTS")
    listed(workspace, "http://models.example/", hosts="models.example")
    with pytest.raises(SettingError, match="sends patient data unencrypted"):
        import_model(workspace, "segmentation", name="ward", how=WARD)
    listed(workspace, "http://127.0.0.1:9/", kind="nninteractive")
    with pytest.raises(SettingError, match="speaks nninteractive, monailabel is needed"):
        import_model(workspace, "segmentation", name="ward", how=WARD)


INFO = {"models": {"net": {"type": "segmentation", "labels": {"large": 1, "small": 2, "background": 0}}, "clicks": {"type": "deepgrow"}}}


@contextmanager
def speaking(reply: Callable[[bytes], tuple[int, str, bytes]], info: Any = INFO) -> Iterator[tuple[str, list[bytes]]]:
    """A server of the standard library that answers inferences as it is told; its address, and what it was sent."""
    sent: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent.append(self.requestline.encode() + str(self.headers).encode())
            self._answer(200 if self.path == "/info/" else 404, "application/json", json.dumps(info).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent.append(self.requestline.encode() + str(self.headers).encode() + body)
            self._answer(*reply(body))

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", sent
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def parts(content: bytes, name: str = "mask.nii.gz", facts: Any = None) -> tuple[int, str, bytes]:
    words = [b'--B\r\nContent-Disposition: form-data; name="params"\r\n\r\n' + json.dumps(facts or {}).encode()]
    words += [f'--B\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'.encode() + content, b"--B--\r\n"]
    return 200, "multipart/form-data; boundary=B", b"\r\n".join(words)


def image_in(body: bytes) -> bytes:
    return body[body.index(b"\x1f\x8b") : body.rindex(b"\r\n--")]


def masked(values: int = 1, cut: int = 0) -> Callable[[bytes], tuple[int, str, bytes]]:
    """Answers with a mask in the geometry of what was sent, a value everywhere."""

    def reply(body: bytes) -> tuple[int, str, bytes]:
        header = bytearray(gzip.decompress(image_in(body))[:352])
        header[70:74] = (2).to_bytes(2, "little") + (8).to_bytes(2, "little")
        if cut:
            header[42:44] = (SHAPE[0] - cut).to_bytes(2, "little")
        count = (SHAPE[0] - cut) * SHAPE[1] * SHAPE[2]
        return parts(gzip.compress(bytes(header) + bytes([values]) * count))

    return reply


def test_voxels_and_their_place_are_all_that_is_sent(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARD_TOKEN", "s3cret")
    with speaking(masked()) as (url, sent):
        listed(workspace, url, token_env="WARD_TOKEN")
        assert len(import_model(workspace, "", name="ward", how=WARD).predicted) == 2
    for request in sent:
        assert b"Bearer s3cret" in request
        assert PATIENT.encode() not in request
    body = sent[-1]
    voxels = gzip.decompress(image_in(body))
    assert PATIENT.encode() not in voxels
    assert b'filename="image.nii.gz"' in body
    assert not voxels[148:252].strip(b"\0"), "no description and no auxiliary file"
    assert (proposals(workspace)[f"{PATIENT}-0"] == 2).all(), "their large is label 2 here"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (masked(7), "the mask holds 7, which is none of the model's labels"),
        (masked(cut=2), "shape"),
        (lambda _body: (500, "text/plain", b"Internal Server Error"), r"refuses \(500 Internal Server Error\)"),
        (lambda _body: (200, "application/json", b"{}"), "a mask with its facts is needed"),
        (lambda _body: parts(gzip.compress(bytes(40 << 20))), "unpacks to more than"),
        (lambda _body: parts(bytes(40 << 20)), "responds with more than"),
        (lambda _body: parts(b"no gzip"), "no whole gzip|no gzip"),
        (lambda _body: parts(b"x", "evil.py"), "nii.gz or .nrrd is needed"),
        (lambda body: parts(masked()(body)[2].split(b"\r\n\r\n")[2][:-9], facts={"label_names": {"large": "one"}}), "names with values"),
        (lambda _body: (307, "text/plain", b""), r"refuses \(307"),
    ],
)
def test_what_comes_back_wrong_is_one_line_and_costs_nothing(
    workspace: Workspace, reply: Callable[[bytes], tuple[int, str, bytes]], words: str
) -> None:
    with speaking(reply) as (url, _):
        listed(workspace, url)
        done = import_model(workspace, "net", name="ward", how=WARD)
    assert done.predicted == ()
    assert len(done.refused) == 2
    said = str(done.refused[0])
    assert re.search(words, said), said
    assert "\n" not in said
    assert proposals(workspace) == {}
    with workspace.store.read() as tx:
        assert arranged(tx) == {}, "what predicts nothing is not tried again by itself"


def test_a_server_that_never_comes_to_its_response_is_waited_for_no_longer_than_it_may_take(workspace: Workspace) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Endless) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        listed(workspace, f"http://127.0.0.1:{server.server_address[1]}")
        with (workspace.folder / "model-servers.toml").open("a") as file:
            file.write("\ntimeout_seconds = 0.3\n")
        with pytest.raises(UnavailableError, match="does not respond"):
            import_model(workspace, "net", name="ward", how=WARD)
        server.shutdown()


class Endless(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with suppress(OSError):
            while True:
                self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("token", ["s3cret\r\nX-Evil: 1", "s3cret two", "s3crët", "s3cret\x1b[2J"])
def test_a_token_that_cannot_stand_in_a_header_is_refused_and_quoted_nowhere(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    listed(workspace, "http://127.0.0.1:9", token_env="WARD_TOKEN")
    monkeypatch.setenv("WARD_TOKEN", token)
    with pytest.raises(SettingError, match="The token in the variable WARD_TOKEN must be one word of ASCII") as refused:
        import_model(workspace, "net", name="ward", how=WARD)
    assert token[:4] not in str(refused.value)
    monkeypatch.setenv("WARD_TOKEN", "s3cret\n")  # as a file's contents come
    with pytest.raises(UnavailableError, match="does not respond"):
        import_model(workspace, "net", name="ward", how=WARD)


@pytest.mark.parametrize(
    ("info", "model", "words"),
    [
        ({"models": {}}, "", "has 0 models that segment"),
        (INFO, "other", "has no model 'other'"),
        (INFO, "clicks", "needs clicks or gives no masks"),
        ({"models": {"net": {"type": "segmentation", "labels": {"liver": 1}}}}, "net", "labels the project does not know: liver"),
        ({"models": {"net": {"type": "segmentation", "labels": {}}}}, "net", "no labels with values"),
        ([], "net", "JSON that is no object"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_before_an_image_is_sent(workspace: Workspace, info: Any, model: str, words: str) -> None:
    with speaking(masked(), info) as (url, sent):
        listed(workspace, url)
        with pytest.raises(MedloopError, match=words):
            import_model(workspace, model, name="ward", how=WARD)
    assert not any(request.startswith(b"POST") for request in sent)


def test_an_nninteractive_server_answers_the_prompts_of_a_project(workspace: Workspace, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "engine")
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=serve_nninteractive, args=(tmp_path / "engine", send), daemon=True)
    process.start()
    try:
        assert receive.poll(120)
        address = receive.recv()
        listed(workspace, address, kind="nninteractive")
        configure(workspace, settings={"prompt_engine": "nninteractive"})
        choice = choose_engine(workspace.reload())
        assert choice.key == f"nninteractive {address}"
        phantom = phantom_3d(0, 3, shape=SHAPE)
        seed = tuple(int(n) for n in np.argwhere(phantom.mask.array == 1).mean(axis=0).round())
        with choice.load() as engine:  # type: ignore[attr-defined]
            answer = engine.refine(engine.embed(phantom.image), [Point((seed[0], seed[1], seed[2]))], labels=[1, 2])
        assert answer.mask[seed] == 1
        assert engine.name == "nninteractive"
    finally:
        process.terminate()
        process.join(30)
    with pytest.raises(NotFoundError, match="lists 0 servers of monailabel"):
        import_model(workspace, "segmentation", name="ward", how=HowToRun(server=""))


def test_no_proxy_stands_between_an_engine_and_its_server_and_no_key_of_another_is_sent(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NN_INTERACTIVE_API_KEY", "of-another-server")
    with speaking(lambda _: (500, "text/plain", b"")) as (url, sent):
        listed(workspace, url, kind="nninteractive")
        choose = choose_engine(workspace, "nninteractive")
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        with pytest.raises(SettingError, match=r"by a proxy of the environment, which is not listed; export NO_PROXY=127\.0\.0\.1"):
            choose.load()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        engine, phantom = choose.load(), phantom_3d(0, 3, shape=SHAPE)
        with pytest.raises(UnavailableError, match="does not respond as it should"):
            engine.refine(engine.embed(phantom.image), [Point((1, 1, 1))], labels=[1, 2])
    assert sent
    assert not any(b"of-another-server" in request for request in sent)
    listed(workspace, url, kind="nninteractive", ca_file="ward.pem")
    with pytest.raises(SettingError, match="does not read ca_file of the server ward"):
        choose_engine(workspace, "nninteractive").load()


def serve_nninteractive(folder: Path, send: Any) -> None:
    serve_project(folder, Offer(port=0), make_engine=project_engine("classical"), ready=send.send)
