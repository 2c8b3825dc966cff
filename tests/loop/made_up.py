"""Models, predictions, evaluations and answers written straight into a project, so that no test waits for a training."""

from collections.abc import Mapping, Sequence

import numpy as np

from medloop.core.records import Annotation, Annotator, Case, Evaluation, Model, Prediction, Snapshot, Source, Split, new_id, now
from medloop.images.encode import encode_mask
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.arrays import store_features
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.queries import queried_case_ids
from medloop.store.reader import Reader


def case_named(workspace: Workspace, name: str) -> Case:
    with workspace.store.read() as tx:
        return tx.find(Case, where={"name": name})[0]


def add_cases(workspace: Workspace, count: int) -> None:
    """More training cases, each of a patient of its own; their names come before those of a fresh project."""
    for n in range(count):
        image = phantom_3d(100 + n, 1, (24, 24, 16)).image
        source = Source(format="phantom", names=(f"added{n}",), sha256=f"{n:064d}")
        add_case(workspace, image, NewCase(name=f"added{n:02d}", patient=f"added{n:02d}", split="train", source=source))


def askable_names(tx: Reader) -> tuple[str, ...]:
    """Names of the training cases that may be queried, by the plain rule: unlabelled, not skipped, in no open round."""
    asked = queried_case_ids(tx)
    return tuple(sorted(c.name for c in tx.unlabelled_cases(["train"]) if c.id not in asked))


def every_case(workspace: Workspace) -> list[Case]:
    with workspace.store.read() as tx:
        return tx.find(Case, order=("name",))


def add_model(workspace: Workspace, index: int) -> Model:
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest=f"{index:064d}", created_at=now())
    model = Model(id=new_id("model"), index=index, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now())
    with workspace.store.write("worker") as tx:
        tx.add(snapshot)
        tx.add(model)
    return model


def add_prediction(
    workspace: Workspace,
    model: Model,
    case: Case,
    *,
    label: int = 1,
    entropy: float = 0.1,
    foreground: float = 0.1,
    agreement: float = 1.0,
    quality: float | None = None,
    samples: Sequence[Sequence[float]] | None = None,
    uncertain: bool = False,
) -> Prediction:
    """A mask whose first slices hold the label, as large a part of the case as `foreground` says."""
    mask = np.zeros(case.grid.shape, dtype=np.uint8)
    mask.reshape(-1)[: round(foreground * mask.size)] = label
    blobs = workspace.store.blobs
    prediction = Prediction(
        id=new_id("prediction"),
        case_id=case.id,
        model_id=model.id,
        mask=blobs.put(encode_mask(mask)),
        uncertainty=blobs.put(encode_mask(np.full_like(mask, 9))) if uncertain else None,
        probabilities=(1 - foreground, foreground),
        features=store_features(blobs, np.arange(3.0) * len(case.name) + entropy),
        scores={
            "entropy": entropy,
            "foreground": foreground,
            "margin": entropy,
            "least_confidence": entropy,
            "bald": entropy,
            "agreement": agreement,
        }
        | ({"samples": samples} if samples is not None else {}),
        quality=quality,
        created_at=now(),
    )
    with workspace.store.write("worker") as tx:
        tx.add(prediction)
    return prediction


def add_evaluation(workspace: Workspace, model: Model, split: Split, labelled: int, scores: Mapping[str, float]) -> None:
    """Scores by case name."""
    values = list(scores.values())
    per_case = {case_named(workspace, name).id: {"large": value} for name, value in scores.items()}
    evaluation = Evaluation(
        id=new_id("evaluation"),
        model_id=model.id,
        split=split,
        metric="dice",
        mean=float(np.mean(values)),
        low=float(np.min(values)),
        high=float(np.max(values)),
        labelled_cases=labelled,
        effort_minutes=0.0,
        per_case=per_case,
        created_at=now(),
    )
    with workspace.store.write("worker") as tx:
        tx.add(evaluation)


def add_answer(
    workspace: Workspace,
    annotator: Annotator,
    case: Case,
    *,
    seconds: float = 60.0,
    labels: Sequence[int] = (1,),
    proposal: Prediction | None = None,
    annotated: tuple[int, ...] = (),
) -> Annotation:
    mask = np.zeros(case.grid.shape, dtype=np.uint8)
    for n, label in enumerate(labels):
        mask[n] = label
    answer = Annotation(
        id=new_id("annotation"),
        case_id=case.id,
        task_id=workspace.task.id,
        annotator_id=annotator.id,
        kind="mask",
        blob=workspace.store.blobs.put(encode_mask(mask)),
        proposal_id=proposal.id if proposal else None,
        effort_seconds=seconds,
        annotated=annotated,
        created_at=now(),
    )
    with workspace.store.write(annotator.id) as tx:
        tx.add(answer, verb="submit")
    return answer
