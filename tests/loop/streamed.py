"""Projects with a stream: a model that finds what is bright, evaluated on annotated patients, and cases that arrive."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medloop.core.image import Mask
from medloop.core.records import Case, Model, Source, Split
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.disposed import Disposition, dispositions, note_stream
from medloop.loop.foundation.workspace import Workspace

from .conftest import FAST
from .made_up import add_evaluation
from .shifted import add_scan, judged_model, predict, scan

SETTINGS = dataclasses.replace(FAST, stream_risk=0.2, stream_sure=0.8, stream_good=0.8, stream_hard=0.3)


def streaming(folder: Path, *, evaluated: int = 30, **settings: object) -> tuple[Workspace, Model]:
    """A project with a model that learned from 12 patients, and was held against so many annotated others; its stream is on."""
    asked = dataclasses.replace(SETTINGS, **settings)  # type: ignore[arg-type]
    workspace = Workspace.create(folder, name="p", kind="segmentation", labels=["organ"], settings=asked)
    model = judged_model(workspace, evaluated=0)
    evaluate(workspace, model, range(500, 500 + evaluated))
    note_stream(workspace)
    return workspace, model


def evaluate(workspace: Workspace, model: Model, numbers: Sequence[int]) -> None:
    """Annotated test patients, and what the model scores on them."""
    teacher, scores = annotator_named(workspace, "import", program=True), dict[str, float]()
    for number in numbers:
        image, organ = scan(number, 60.0, 8.0)
        source = Source(format="phantom", names=(f"scan{number}",), sha256=hashlib.sha256(image.array.tobytes()).hexdigest())
        name = f"A{number:03d}"
        new = NewCase(name=name, patient=name, split="test", source=source, groups=(("scanner", "A"),))
        case = add_case(workspace, image, new, Incoming(Mask(organ.astype(np.uint8), image.grid), teacher), follow=False)
        scores[name] = predict(workspace, model, case, number)
    if scores:
        add_evaluation(workspace, model, "test", 12, scores)


def arrive(
    workspace: Workspace, model: Model, numbers: Sequence[int], split: Split = "train", *, contrast: float = 60.0
) -> dict[str, float]:
    """Cases that arrive and are predicted; name → true Dice."""
    found = {}
    for number in numbers:
        case = add_scan(workspace, number, split, contrast=contrast)
        found[case.name] = predict(workspace, model, case, number, contrast)
    return found


def decided(workspace: Workspace) -> dict[str, Disposition]:
    """By name of the case."""
    with workspace.store.read() as tx:
        return {tx.get(Case, case_id).name: one for case_id, one in dispositions(tx).items()}


def read_next(workspace: Workspace, who: str, *, right: bool = True) -> str | None:
    """Somebody reads the next case: as it is, or otherwise than any model says; the name of the case."""
    opened = next_assignment(workspace, annotator_named(workspace, who).id)
    if opened is None:
        return None
    _, organ = scan(int(opened.case.name[1:]), 60.0, 8.0)
    submit(workspace, opened.assignment.id, Submitted(mask=(organ if right else ~organ).astype(np.uint8)))
    return opened.case.name
