"""An annotator made of the truth: answers what it is asked, at once, with errors of a known size if wanted."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import NotFoundError
from medloop.core.image import Image, Mask
from medloop.core.records import Annotation, Case, Query, Round, TaskKind
from medloop.core.seeds import generator
from medloop.core.settings import GivenKind
from medloop.core.states import RoundState
from medloop.interaction.simulated_users.effort import EffortModel
from medloop.interaction.weak.simulated import GivenMarks, mask_seconds, simulated_marks
from medloop.loop.annotating.annotations import Opened, next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_annotation, load_image, load_proposal
from medloop.loop.foundation.workspace import Workspace
from medloop.simulation.kinds import GIVEN_FOR, check_proposal, correct_parts, give_marks, queried_kind
from medloop.simulation.noise import NO_NOISE, Noise
from medloop.simulation.outlines import with_wrong_outlines, with_wrong_tag
from medloop.simulation.working import Manner, corrected_mask

NAME = "oracle"


@dataclass(frozen=True)
class Errors:
    """How wrong the oracle is; its mistakes depend on the seed and the case, not on when it is asked, but for `Noise` that says so.

    Attributes:
        outline_mm: How far every outline strays, in mm.
        tag: Share of wrong tags.
        seed: Of these two.
        noise: What is wrong with a share of the cases; these two then are of the others.
    """

    outline_mm: float = 0.0
    tag: float = 0.0
    seed: int = 0
    noise: Noise = NO_NOISE


@dataclass(frozen=True, eq=False)
class Shown:
    """What an annotator's errors depend on: the place of the case in the round's query, and the proposal (see `Oracle.annotation`)."""

    nth: int = 0
    proposal: MaskArray | int | None = None


NOTHING_SHOWN = Shown()


class Oracle(AbstractContextManager["Oracle"]):
    """The truth of a data set by case name, read from the workspace it was imported into.

    Args:
        folder: That workspace.
        errors: How wrong the answers are.
    """

    def __init__(self, folder: Path, errors: Errors | None = None) -> None:
        self._workspace = Workspace.open(folder)
        self._errors = errors or Errors()
        with self._workspace.store.read() as tx:
            found = [(tx.get(Case, annotation.case_id), annotation) for annotation in tx.current_annotations()]
        self._answers: Mapping[str, tuple[Case, Annotation]] = {case.name: (case, annotation) for case, annotation in found}

    def annotation(self, name: str, *, nth: int = 0, proposal: MaskArray | int | None = None) -> MaskArray | int:
        """The mask, shape (I, J, K), or tag of a case.

        Args:
            name: Of the case.
            nth: Its place in the sitting, from 0.
            proposal: What the model shows, of the same kind.

        Raises:
            NotFoundError: The data set has no annotation for it.
        """
        truth, noise = self.truth(name), self._errors.noise
        rng = generator(self._errors.seed, "oracle", name)
        wrong = noise.is_wrong(name, nth=nth)
        if isinstance(truth, Mask):
            if wrong:
                shown = proposal if isinstance(proposal, np.ndarray) else None
                return self._of_annotated(name, noise.mask(truth, name, nth=nth, proposal=shown))
            return with_wrong_outlines(truth, self._errors.outline_mm, rng)
        known = self._workspace.task.label_values
        if wrong:
            return noise.tag(truth, known, name, nth=nth, proposal=proposal if isinstance(proposal, int) else None)
        return with_wrong_tag(truth, known, self._errors.tag, rng)

    def corrected(self, name: str, proposal: MaskArray | None, effort: EffortModel) -> tuple[MaskArray, float]:
        """The mask of a case as a person leaves it who corrects the proposal, and the seconds that took.

        Raises:
            NotFoundError: The data set has no mask for it.
        """
        truth, rng = self.truth(name), generator(self._errors.seed, "prompts", name)
        if not isinstance(truth, Mask):
            raise NotFoundError(f"The data set has no mask for {name}")
        shown = None if proposal is None else self._of_annotated(name, proposal)
        return corrected_mask(truth, self.case(name)[0], shown, self.annotated(name) or self._workspace.task.label_values, effort, rng)

    def annotated(self, name: str) -> tuple[int, ...]:
        """Values of the labels that the truth of a case annotates, where not all; of the others nobody knows where they are."""
        return self._answers[name][1].annotated

    def _of_annotated(self, name: str, mask: MaskArray) -> MaskArray:
        """A mask with the labels alone that the truth of a case annotates."""
        annotated = self.annotated(name)
        return np.where(np.isin(mask, annotated), mask, 0).astype(mask.dtype) if annotated else mask

    def marks(self, name: str, kind: GivenKind, shown: Shown = NOTHING_SHOWN, effort: EffortModel | None = None) -> GivenMarks:
        """Marks of a case in place of its mask, true of the mask that this annotator would draw, and the seconds they take.

        Args:
            name: Of the case.
            kind: Any but "mask".
            shown: What the annotator's errors depend on.
            effort: Of the seconds; None takes the stated model.

        Raises:
            NotFoundError: The data set has no mask for it.
        """
        believed = self.annotation(name, nth=shown.nth, proposal=shown.proposal)
        if not isinstance(believed, np.ndarray):
            raise NotFoundError(f"The data set has no mask for {name}")
        rng, grid = generator(self._errors.seed, "marks", kind, name), self._answers[name][0].grid
        image = self.case(name)[0].array if kind == "superpixels" else None
        return simulated_marks(believed, grid, kind, self._workspace.task.label_values, rng, effort=effort, image=image)

    @property
    def task(self) -> tuple[TaskKind, tuple[str, ...]]:
        """Kind and labels of the data set."""
        return self._workspace.task.kind, tuple(label.name for label in self._workspace.task.labels)

    def case(self, name: str) -> tuple[Image, Case]:
        """A case and its image."""
        case = self._answers[name][0]
        return load_image(self._workspace.store.blobs, case), case

    def truth(self, name: str) -> Mask | int:
        """The answer without errors.

        Raises:
            NotFoundError: The data set has none for this case.
        """
        if name not in self._answers:
            raise NotFoundError(f"The data set has no annotation for {name}")
        case, annotation = self._answers[name]
        return load_annotation(self._workspace.store.blobs, annotation, case)

    def foreground_shares(self, names: list[str]) -> dict[str, float]:
        """Share of voxels with any label, by case name: what foreground-aware baselines may know; 0 or 1 for tags."""
        truths = ((name, self.truth(name)) for name in names)
        return {name: float(np.mean(truth.array > 0) if isinstance(truth, Mask) else truth > 0) for name, truth in truths}

    def __exit__(self, *_: object) -> None:
        self._workspace.close()


def annotate_round(workspace: Workspace, round_id: str, oracle: Oracle, manner: Manner) -> int:
    """Answer every case a round still asks, through the verbs a person's page uses; returns how many.

    What masks and marks take is reported by the model of `manner`; cases that evaluate get masks without a proposal.
    """
    annotator = annotator_named(workspace, NAME, kind="simulated")
    sitting, answered = _sitting(workspace, round_id), 0
    while _is_querying(workspace, round_id) and (opened := next_assignment(workspace, annotator.id)) is not None:
        nth = sitting.get(opened.case.id, 0)
        if opened.case.split == "train" and _gave_queried(workspace, opened, oracle, manner, nth):
            pass
        elif manner.given != "mask" and opened.case.split == "train":
            marks = oracle.marks(opened.case.name, manner.given, Shown(nth, _proposal(workspace, opened)), manner.times)
            give_marks(workspace, opened, marks)
        else:
            submitted = _submitted(workspace, opened, oracle, manner, nth)
            submit(workspace, opened.assignment.id, submitted)
        answered += 1
    return answered


def _gave_queried(workspace: Workspace, opened: Opened, oracle: Oracle, manner: Manner, nth: int) -> bool:
    """Give what a query wanted of an open case; False where that is all of it."""
    kind, parts = queried_kind(workspace, opened)
    if kind in GIVEN_FOR:
        give_marks(workspace, opened, oracle.marks(opened.case.name, GIVEN_FOR[kind], Shown(nth), manner.times))
        return True
    if kind != "verify" and not parts:
        return False
    answer, grid = oracle.annotation(opened.case.name, nth=nth), opened.case.grid
    if isinstance(answer, int):
        return False
    believed = Mask(answer, grid)
    shown = _proposal(workspace, opened)
    if parts or not isinstance(shown, np.ndarray):
        correct_parts(workspace, opened, believed, parts, manner.times)
    else:
        check_proposal(workspace, opened, shown, believed, manner.times)
    return True


def _submitted(workspace: Workspace, opened: Opened, oracle: Oracle, manner: Manner, nth: int) -> Submitted:
    """A mask or tag of an open case."""
    name, proposal = opened.case.name, _proposal(workspace, opened)
    annotated = oracle.annotated(name) or None
    if manner.needs_proposals and workspace.task.kind == "segmentation":
        shown = proposal if isinstance(proposal, np.ndarray) and opened.case.split == "train" else None
        mask, seconds = oracle.corrected(name, shown, manner.times)
        return Submitted(mask=mask, effort_seconds=seconds, annotated=annotated)
    answer = oracle.annotation(name, nth=nth, proposal=proposal)
    if isinstance(answer, int):
        return Submitted(tag=answer)
    return Submitted(mask=answer, effort_seconds=mask_seconds(answer, opened.case.grid, manner.times), annotated=annotated)


def _sitting(workspace: Workspace, round_id: str) -> dict[str, int]:
    """Case id → its place in the round's query: the same after an interruption."""
    with workspace.store.read() as tx:
        query_id = tx.get(Round, round_id).query_id
        return {choice.case_id: n for n, choice in enumerate(tx.get(Query, query_id).choices)} if query_id else {}


def _proposal(workspace: Workspace, opened: Opened) -> MaskArray | int | None:
    """What the model shows for a case."""
    if opened.prediction is None:
        return None
    if workspace.task.kind == "segmentation":
        return load_proposal(workspace.store.blobs, opened.prediction, opened.case)
    return workspace.task.label_values[int(np.argmax(opened.prediction.probabilities))]


def _is_querying(workspace: Workspace, round_id: str) -> bool:
    with workspace.store.read() as tx:
        return tx.get(Round, round_id).state == RoundState.ANNOTATING
