"""Projects with a model that finds what is bright, and cases of a scanner on which the same is dark."""

import hashlib
from collections.abc import Sequence

import numpy as np

from medloop.core.image import Image
from medloop.core.records import Case, Model, Prediction, Snapshot, Source, Split, new_id, now
from medloop.images.encode import encode_mask
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import store_features
from medloop.loop.foundation.workspace import Workspace
from medloop.metrics.overlap import dice
from medloop.models.foundation.normalise import normalise

from .made_up import add_evaluation

SIZE = (16, 16, 8)


def scan(number: int, contrast: float, noise: float) -> tuple[Image, np.ndarray]:
    """A phantom's anatomy as a scanner shows it, and where the organ is."""
    phantom = phantom_3d(number, 1, SIZE)
    organ = phantom.mask.array > 0
    rng = np.random.default_rng(number)
    return Image((100 + contrast * organ + noise * rng.standard_normal(organ.shape)).astype(np.float32)[None], phantom.image.grid), organ


def add_scan(
    workspace: Workspace,
    number: int,
    split: Split,
    *,
    contrast: float = 60.0,
    noise: float = 8.0,
    scanner: str = "A",
    channels: int = 1,
    patient: str = "",
) -> Case:
    image, _ = scan(number, contrast, noise)
    image = Image(np.repeat(image.array, channels, axis=0), image.grid)
    source = Source(format="phantom", names=(f"scan{number}",), sha256=hashlib.sha256(image.array.tobytes()).hexdigest())
    name = f"{scanner}{number:03d}"
    new = NewCase(name=name, patient=patient or name, split=split, source=source, groups=(("scanner", scanner),) if scanner else ())
    return add_case(workspace, image, new, follow=False)


def predict(workspace: Workspace, model: Model, case: Case, number: int, contrast: float = 60.0, noise: float = 8.0) -> float:
    """What a threshold finds, once stricter and once looser; returns its true Dice."""
    image, organ = scan(number, contrast, noise)
    seen = normalise(image.array)[0]
    found, strict, loose = (seen > limit for limit in (1.0, 1.1, 0.9))
    both = int(strict.sum() + loose.sum())
    agreement = 2.0 * int((strict & loose).sum()) / both if both else 1.0
    features = np.array([found.mean(), np.std(seen[~found]), *np.quantile(seen, (0.05, 0.5, 0.95))])
    blobs = workspace.store.blobs
    prediction = Prediction(
        id=new_id("prediction"),
        case_id=case.id,
        model_id=model.id,
        mask=blobs.put(encode_mask(found.astype(np.uint8))),
        uncertainty=None,
        probabilities=(0.9, 0.1),
        features=store_features(blobs, features),
        scores={"entropy": 0.1, "agreement": agreement},
        created_at=now(),
    )
    with workspace.store.write("worker") as tx:
        tx.add(prediction)
    return dice(found.astype(np.uint8), organ.astype(np.uint8), [1])[1]


def judged_model(workspace: Workspace, *, training: int = 12, evaluated: int = 24, scanner: str = "A") -> Model:
    """A model that learned from annotated cases of a scanner, and was evaluated on others of it."""
    teacher = annotator_named(workspace, "import", program=True)
    learned = []
    for number in range(training):
        image, organ = scan(number, 60.0, 8.0)
        source = Source(format="phantom", names=(f"scan{number}",), sha256=hashlib.sha256(image.array.tobytes()).hexdigest())
        new = NewCase(
            name=f"{scanner}{number:03d}", patient=f"{scanner}{number:03d}", split="train", source=source, groups=(("scanner", scanner),)
        )
        mask = phantom_3d(number, 1, SIZE).mask
        learned.append(add_case(workspace, image, new, Incoming(type(mask)(organ.astype(np.uint8), mask.grid), teacher), follow=False))
    with workspace.store.read() as tx:
        ids = tuple(a.id for a in tx.current_annotations(splits=["train"]))
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=ids, digest="1" * 64, created_at=now())
    model = Model(id=new_id("model"), index=1, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now())
    with workspace.store.write("worker") as tx:
        tx.add(snapshot)
        tx.add(model)
    for number, case in enumerate(learned):
        predict(workspace, model, case, number)
    scores = {}
    for number in range(training, training + evaluated):
        case = add_scan(workspace, number, "test", scanner=scanner)
        scores[case.name] = predict(workspace, model, case, number)
    if scores:
        add_evaluation(workspace, model, "test", training, scores)
    return model


def add_pool(
    workspace: Workspace, model: Model, numbers: Sequence[int], *, contrast: float = 60.0, scanner: str = "A", channels: int = 1
) -> dict[str, float]:
    """Unlabelled predicted cases; name → true Dice."""
    found = {}
    for number in numbers:
        case = add_scan(workspace, number, "train", contrast=contrast, scanner=scanner, channels=channels)
        found[case.name] = predict(workspace, model, case, number, contrast)
    return found
