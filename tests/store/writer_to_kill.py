"""A program for tests: writes answers until it is killed; prints each one only when it is safe."""

import sys
from itertools import count
from pathlib import Path

from medloop.core.records import Annotation, now
from medloop.store.store import Store


def write_for_ever(folder: Path, run: str) -> None:
    store = Store.open(folder)
    for number in count():
        blob = store.blobs.put(f"{run}-{number}".encode() * 200)
        annotation = Annotation(
            id=f"annotation-{run}-{number}",
            case_id="case-a",
            task_id="task-1",
            annotator_id="annotator-ann",
            kind="mask",
            blob=blob,
            created_at=now(),
        )
        with store.write("me") as tx:
            tx.add(annotation)
        print(annotation.id, flush=True)


if __name__ == "__main__":
    write_for_ever(Path(sys.argv[1]), sys.argv[2])
