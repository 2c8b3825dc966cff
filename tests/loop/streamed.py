"""Projects with a stream: a model that finds what is bright, evaluated on annotated patients, and cases that arrive."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medloop.core.image import Mask
from medloop.core.records import Case, Model, Prediction, Source, Split, new_id, now
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_image, store_features
from medloop.loop.foundation.disposed import Disposition, dispositions, note_stream
from medloop.loop.foundation.workspace import Workspace

from .conftest import FAST
from .made_up import add_evaluation, add_model
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


def classifier(workspace: Workspace, *, right: int) -> Model:
    """A model that is surer where it is right, on so many annotated test patients and half as many on which it is wrong."""
    model, teacher, correct = add_model(workspace, 1), annotator_named(workspace, "import", program=True), dict[str, float]()
    for n in range(right + right // 2):
        image, _ = scan(500 + n, 60.0, 8.0)
        source = Source(format="phantom", names=(f"scan{n}",), sha256=hashlib.sha256(image.array.tobytes()).hexdigest())
        new = NewCase(name=f"A{500 + n}", patient=f"A{500 + n}", split="test", source=source, groups=(("scanner", "A"),))
        case = add_case(workspace, image, new, Incoming(workspace.task.label_values[1 if n < right else 0], teacher), follow=False)
        guess(workspace, model, case, sure=0.9 if n < right else 0.4)
        correct[case.name] = float(n < right)
    add_evaluation(workspace, model, "test", 12, correct)
    note_stream(workspace)
    return model


def guess(workspace: Workspace, model: Model, case: Case, *, sure: float) -> None:
    """The second class with this probability above one half, and an embedding like all others."""
    image = load_image(workspace.store.blobs, case)
    high = 0.5 + sure / 2
    values = np.quantile(image.array, (0.05, 0.25, 0.5, 0.75, 0.95))
    prediction = Prediction(
        id=new_id("prediction"),
        case_id=case.id,
        model_id=model.id,
        mask=None,
        uncertainty=None,
        probabilities=(1 - high, high),
        features=store_features(workspace.store.blobs, values),
        scores={"entropy": 0.1, "agreement": 1.0},
        created_at=now(),
    )
    with workspace.store.write("worker") as tx:
        tx.add(prediction)
