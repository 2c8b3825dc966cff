"""Small records of every kind, with ids that say what they are."""

import numpy as np

from medloop.core.accounts import Account, ApiToken, Membership, OneTimeLink, SignIn
from medloop.core.geometry import Grid
from medloop.core.records import (
    Annotation,
    Annotator,
    Assignee,
    Assignment,
    Case,
    Choice,
    Consensus,
    Descriptor,
    DraftPatch,
    Effort,
    Evaluation,
    EvaluationTruth,
    GoldCase,
    GoldReading,
    Label,
    LiveChoice,
    Measurement,
    Model,
    NamedFrame,
    Prediction,
    Project,
    ProjectSettings,
    PromptRecord,
    Provenance,
    Query,
    ReferenceSeries,
    Review,
    Round,
    Routed,
    Snapshot,
    Source,
    Split,
    Task,
    Withdrawal,
    now,
)
from medloop.core.states import RoundState
from medloop.store.store import Writer

IMMUTABLE = (
    "annotations",
    "models",
    "predictions",
    "snapshots",
    "queries",
    "tasks",
    "evaluations",
    "descriptors",
    "provenances",
    "withdrawals",
    "live_choices",
    "evaluation_truths",
    "reviews",
    "consensuses",
    "routed",
    "gold_readings",
)
"""Tables whose rows are never updated or deleted: triggers refuse it, as they do for `events`."""

TASK = Task(id="task-1", version=1, kind="segmentation", labels=(Label(value=1, name="liver", colour="#e6550d"),), created_at=now())
PROJECT = Project(id="project-1", name="Liver", task_id="task-1", settings=ProjectSettings(batch_size=3), created_at=now())


def annotator(name: str = "ann") -> Annotator:
    return Annotator(id=f"annotator-{name}", name=name, roles=("annotator", "lead"), created_at=now())


def case(name: str = "a", *, split: Split = "train", patient: str = "p1") -> Case:
    affine = np.array([[0.1 + 0.2, 0, 0, -3.7], [0, -1 / 3, 0, 1e-7], [0, 0, 2.5, 0], [0, 0, 0, 1]])
    source = Source(format="dicom", names=(f"{name}.nii",), sha256="ab" * 32, nifti_header="AAAA", dicom={"study": "1.2.3", "n": [1, 2]})
    return Case(
        id=f"case-{name}",
        name=name,
        patient=patient,
        split=split,
        grid=Grid((4, 5, 6), affine),
        channels=1,
        dtype="int16",
        voxels="0" * 64,
        window=(-1.5, 2.25),
        value_range=(-1000.0, 0.1 + 0.2),
        source=source,
        notes=("gantry tilt",),
        added_at=now(),
    )


def snapshot(name: str = "s") -> Snapshot:
    return Snapshot(id=f"snapshot-{name}", annotation_ids=("annotation-1",), digest="d" * 64, created_at=now())


def model(index: int = 1) -> Model:
    return Model(
        id=f"model-{index}",
        index=index,
        recipe={"patch": [1, 2, 3], "rate": 0.001},
        snapshot_id="snapshot-s",
        weights=("1" * 64,),
        metrics={"loss": 1 / 3},
        created_at=now(),
    )


def prediction(of: str, by: int = 1, *, number: int = 0, entropy: float = 0.5, quality: float | None = 0.8) -> Prediction:
    return Prediction(
        id=f"prediction-{of}-{by}-{number}",
        case_id=f"case-{of}",
        model_id=f"model-{by}",
        mask="2" * 64,
        uncertainty=None,
        probabilities=(0.1, 0.2),
        features=None,
        scores={"entropy": entropy},
        quality=quality,
        created_at=now(),
    )


def descriptor(of: str, method: str = "descriptors") -> Descriptor:
    return Descriptor(id=f"descriptor-{of}-{method}", case_id=f"case-{of}", method=method, maker="", vector="4" * 64, created_at="2026")


def query(*case_names: str) -> Query:
    choices = tuple(Choice(case_id=f"case-{n}", score=0.25, reason="most doubtful") for n in case_names)
    return Query(id="query-1", strategy="entropy", seed=2**62 + 1, model_id=None, choices=choices, created_at=now())


def first_round() -> Round:
    return Round(id="round-1", index=1, state=RoundState.QUERYING, created_at=now(), updated_at=now())


def assignment(of: str = "a", *, number: int = 1, by: str = "ann") -> Assignment:
    return Assignment(id=f"assignment-{of}-{number}", case_id=f"case-{of}", annotator_id=f"annotator-{by}", opened_at=now())


def patch(revision: int, *, of: str = "assignment-a-1") -> DraftPatch:
    return DraftPatch(id=f"patch-{of}-{revision}", assignment_id=of, revision=revision, runs=((0, 3, 1), (7, 1, 0)), created_at=now())


def prompt(number: int, *, of: str = "assignment-a-1", replaces: str | None = None) -> PromptRecord:
    return PromptRecord(
        id=f"prompt-{of}-{number}",
        assignment_id=of,
        revision=number,
        prompt={"kind": "point", "voxel": [1, 2, number], "label": 1, "positive": True},
        engine="classical",
        locked=(2,),
        quality=0.875,
        replaces=replaces,
        created_at="2026",
    )


def provenance(of: str = "annotation-a-ann-1") -> Provenance:
    return Provenance(
        id=f"provenance-{of}",
        annotation_id=of,
        assignment_id="assignment-a-1",
        prompt_ids=("prompt-assignment-a-1-1",),
        withdrawn_prompts=1,
        parts={"prompt": {"voxels": 3, "labels": {"1": 3}, "start": [0, 0, 0], "stop": [3, 1, 1]}},
        created_at="2026",
    )


def annotation(of: str = "a", *, number: int = 1, by: str = "ann", supersedes: str | None = None, seconds: float = 10.0) -> Annotation:
    return Annotation(
        id=f"annotation-{of}-{by}-{number}",
        case_id=f"case-{of}",
        task_id="task-1",
        annotator_id=f"annotator-{by}",
        kind="mask",
        blob="3" * 64,
        supersedes=supersedes,
        effort_seconds=seconds,
        created_at=now(),
    )


def effort(of: str = "assignment-a-1", *, case: str = "a", session: str = "tab-1") -> Effort:
    return Effort(
        id=f"effort-{of}-{session}",
        case_id=f"case-{case}",
        annotator_id="annotator-ann",
        assignment_id=of,
        session=session,
        active_seconds=12.5,
        strokes=3,
        began_at="2026-03-01T09:30:00.000000Z",
        ended_at="2026-03-01T09:31:00.000000Z",
        created_at="2026",
    )


def withdrawal(of: str = "annotation-a-ann-1", *, case: str = "a") -> Withdrawal:
    return Withdrawal(
        id=f"withdrawal-{of}",
        annotation_id=of,
        case_id=f"case-{case}",
        annotator_id="annotator-ann",
        verb="flagged",
        reason="wrong patient",
        created_at="2026",
    )


def review(of: str = "annotation-a-ann-1", *, case: str = "a") -> Review:
    signature = {"name": "Rita", "time": "2026-03-01T09:30:00.000000Z", "meaning": "approval"}
    return Review(
        id=f"review-{of}", case_id=f"case-{case}", annotation_id=of, annotator_id="annotator-ann", verdict="approve",
        signature=signature, created_at="2026",
    )  # fmt: skip


def consensus(of: str = "a") -> Consensus:
    return Consensus(
        id=f"consensus-{of}",
        case_id=f"case-{of}",
        method="staple",
        inputs=(f"annotation-{of}-ann-1",),
        annotation_id=f"annotation-{of}-ann-1",
        skills={"annotator-ann": {"value": 0.9, "low": 0.8, "high": None, "annotations": 1}},
        agreement=0.75,
        agreement_by_label={"1": 0.75},
        uncertainty="8" * 64,
        created_at="2026",
    )


def routed(of: str = "a") -> Routed:
    return Routed(
        id=f"routing-{of}",
        assignment_id=f"assignment-{of}-1",
        case_id=f"case-{of}",
        annotator_id="annotator-ann",
        purpose="new",
        skill=0.9,
        minutes=2.5,
        cost=5.0,
        quality=0.0,
        expected=0.9,
        readers=("annotator-ann",),
        trust=0.1,
        reason="cheapest",
        created_at="2026",
    )


def measurement(name: str = "m", *, case: str = "a") -> Measurement:
    return Measurement(
        id=f"measurement-{name}",
        case_id=f"case-{case}",
        annotator_id="annotator-ann",
        kind="length",
        points=((0.5, 1 / 3, 2.0), (3.0, 4.0, 2.0)),
        axis=2,
        index=2,
        figures={"length_mm": 1 / 3},
        created_at="2026",
        changed_at="2026",
    )


def named_frame(name: str = "systole", *, case: str = "a") -> NamedFrame:
    return NamedFrame(
        id=f"frame-{name}",
        case_id=f"case-{case}",
        assignment_id=f"assignment-{case}-1",
        annotator_id="annotator-ann",
        name=name,
        axis=2,
        index=1,
        placed=True,
        created_at="2026",
    )


def reference(name: str = "FLAIR", *, of: str = "a") -> ReferenceSeries:
    beside = case(of)
    return ReferenceSeries(
        id=f"reference-{name}", case_id=beside.id, name=name, grid=beside.grid, channels=1, dtype=beside.dtype, voxels=beside.voxels,
        window=beside.window, value_range=beside.value_range, source=beside.source, frame="same", added_at="2026",
    )  # fmt: skip


def gold(of: str = "annotation-a-ann-1", *, case: str = "a") -> GoldCase:
    return GoldCase(id=f"gold-{case}", case_id=f"case-{case}", annotation_id=of, annotator_id="annotator-ann", created_at="2026")


def assignee(case: str = "a", *, name: str = "ann") -> Assignee:
    return Assignee(id=f"assignee-{case}-{name}", case_id=f"case-{case}", annotator_id=f"annotator-{name}", created_at="2026")


def gold_reading(of: str = "annotation-a-ann-1", *, case: str = "a") -> GoldReading:
    return GoldReading(
        id=f"check-{of}", gold_id=f"gold-{case}", case_id=f"case-{case}", annotation_id=of, annotator_id="annotator-ann", tutorial=False,
        score=0.75, by_label={"1": 0.75}, created_at="2026",
    )  # fmt: skip


def evaluation() -> Evaluation:
    return Evaluation(
        id="evaluation-1",
        model_id="model-1",
        split="test",
        metric="dice",
        mean=0.7,
        low=0.6,
        high=0.8,
        labelled_cases=4,
        effort_minutes=3.5,
        per_case={"case-a": {"liver": 0.7}},
        selected=True,
        created_at=now(),
    )


def truth() -> EvaluationTruth:
    return EvaluationTruth(id="truth-1", model_id="model-1", split="test", evaluation_id="evaluation-1", digest="e" * 64, created_at=now())


def live_choice() -> LiveChoice:
    return LiveChoice(id="choice-1", model_id="model-1", judged_id="model-1", pinned=False, reason="the first", created_at=now())


def account(name: str = "Ann") -> Account:
    return Account(id=f"account-{name}", name=name, key=name.casefold(), password="$argon2id$kept", created_at=now())


def people(of: str = "account-Ann") -> list[Membership | SignIn | ApiToken | OneTimeLink]:
    """A role of an account, and what was handed out to it."""
    return [
        Membership(id="membership-1", account_id=of, project_id="", role="lead", created_at="2026"),
        SignIn(id="sign-in-1", account_id=of, digest="5" * 64, created_at="2026"),
        ApiToken(id="token-1", account_id=of, name="export", digest="6" * 64, scope="read", expires_at="2027", created_at="2026"),
        OneTimeLink(id="link-1", account_id=of, use="invitation", digest="7" * 64, expires_at="2027", created_at="2026"),
    ]


def add_basics(tx: Writer, *case_names: str) -> None:
    """A task, a project, an annotator, and training cases."""
    for record in (TASK, PROJECT, annotator(), *(case(name) for name in case_names)):
        tx.add(record)
