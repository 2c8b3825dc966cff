"""kill -9 of the server while people submit: every acknowledged answer is there afterwards, whole and chained."""

import threading
from pathlib import Path

import numpy as np

from medloop.core.records import Annotation
from medloop.images.encode import decode_mask
from medloop.loop.foundation.workspace import Workspace
from medloop.store.audit import verify

SHAPE = (12, 10, 8)
ROUNDS = 3
ANSWERS_BEFORE_KILL = 6
PEOPLE = 3


class Person(threading.Thread):
    """Opens and answers the same case again and again until the server is gone."""

    def __init__(self, server, name: str, seed: int, enough: threading.Semaphore) -> None:
        super().__init__()
        self.acknowledged: dict[str, bytes] = {}
        self._server, self._name_header, self._enough = server, {"X-Annotator": name}, enough
        self._rng = np.random.default_rng(seed)

    def run(self) -> None:
        project = self._server.get("/projects")[0]["id"]
        case = self._server.get(f"/projects/{project}/cases")["rows"][0]["id"]
        try:
            while True:
                self._answer(f"/projects/{project}", case)
                self._enough.release()
        except (OSError, ValueError):
            self._enough.release()

    def _answer(self, url: str, case: str) -> None:
        opened = self._server.send("POST", f"{url}/cases/{case}/open", **self._name_header)
        body = self._rng.integers(0, 3, SHAPE, dtype=np.uint8).tobytes(order="F")
        address = f"{url}/assignments/{opened['assignment']['id']}/mask"
        answer = self._server.send("PUT", address, raw=body, **{"X-Shape": "12,10,8"}, **self._name_header)
        self.acknowledged[answer["annotation_id"]] = body


def test_no_acknowledged_answer_is_lost(start, folder: Path) -> None:
    acknowledged: dict[str, bytes] = {}
    for round_ in range(ROUNDS):
        server = start(folder, MEDLOOP_WORKER="0", MEDLOOP_ASSISTANT="0")
        enough = threading.Semaphore(0)
        people = [Person(server, f"person {n}", 10 * round_ + n, enough) for n in range(PEOPLE)]
        for person in people:
            person.start()
        for _ in range(ANSWERS_BEFORE_KILL + round_):
            enough.acquire(timeout=60)
        server.process.kill()
        for person in people:
            person.join()
            acknowledged |= person.acknowledged
    assert len(acknowledged) >= ROUNDS * (ANSWERS_BEFORE_KILL - PEOPLE)
    with Workspace.open(folder) as workspace:
        with workspace.store.read() as tx:
            stored = {a.id: a.blob for a in tx.find(Annotation)}
        assert set(acknowledged) <= set(stored)
        for annotation_id, blob in stored.items():
            mask = decode_mask(workspace.store.blobs.get(blob), SHAPE)
            assert mask.tobytes(order="F") == acknowledged.get(annotation_id, mask.tobytes(order="F"))
        assert verify(workspace.store).ok
