"""An annotator made of the truth: answers what it is asked, at once, with errors of a known size if wanted."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from medloop.core.arrays import FloatArray, MaskArray
from medloop.core.errors import NotFoundError
from medloop.core.image import Image, Mask
from medloop.core.records import Annotation, Case, Round, TaskKind
from medloop.core.seeds import generator
from medloop.core.states import RoundState
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_annotation, load_image
from medloop.loop.foundation.workspace import Workspace
from medloop.quality.corruption import smooth_noise

NAME = "oracle"
WAVE_VOXELS = 3.0
"""Correlation length of a wrong outline: people stray over several voxels, not in single ones."""


@dataclass(frozen=True)
class Errors:
    """How wrong the oracle is; its mistakes depend on the seed and the case, not on when it is asked."""

    outline_mm: float = 0.0
    tag: float = 0.0
    seed: int = 0


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

    def annotation(self, name: str) -> MaskArray | int:
        """The mask, shape (I, J, K), or tag of a case.

        Raises:
            NotFoundError: The data set has no annotation for it.
        """
        truth = self.truth(name)
        rng = generator(self._errors.seed, "oracle", name)
        if isinstance(truth, Mask):
            return with_wrong_outlines(truth, self._errors.outline_mm, rng)
        return with_wrong_tag(truth, self._workspace.task.label_values, self._errors.tag, rng)

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


def annotate_round(workspace: Workspace, round_id: str, oracle: Oracle) -> int:
    """Answer every case a round still asks, through the verbs a person's page uses; returns how many."""
    annotator = annotator_named(workspace, NAME, kind="simulated")
    answered = 0
    while _is_querying(workspace, round_id) and (opened := next_assignment(workspace, annotator.id)) is not None:
        answer = oracle.annotation(opened.case.name)
        submit(workspace, opened.assignment.id, Submitted(tag=answer) if isinstance(answer, int) else Submitted(mask=answer))
        answered += 1
    return answered


def with_wrong_outlines(mask: Mask, error_mm: float, rng: np.random.Generator) -> MaskArray:
    """The mask with its outlines moved in and out by a smooth random amount.

    Every label's signed distance is shifted by noise of that standard deviation; where labels then compete, the
    deepest wins.

    Args:
        mask: The truth.
        error_mm: Standard deviation of the shift in mm; 0 gives the mask back.
        rng: Source of the noise.
    """
    labels = [value for value in mask.values() if value]
    if error_mm <= 0 or not labels:
        return mask.array
    waves = [WAVE_VOXELS] * mask.array.ndim
    depths = [
        _depth_mm(mask.array == value, mask.grid.spacing_mm) + error_mm * smooth_noise(mask.array.shape, waves, rng) for value in labels
    ]
    deepest = np.argmax(depths, axis=0)
    inside = np.max(depths, axis=0) > 0
    return np.where(inside, np.array(labels, dtype=np.uint8)[deepest], np.uint8(0))


def with_wrong_tag(tag: int, known: tuple[int, ...], error: float, rng: np.random.Generator) -> int:
    """The tag, or with the given chance another one."""
    others = [value for value in known if value != tag]
    return int(rng.choice(others)) if others and rng.random() < error else tag


def _is_querying(workspace: Workspace, round_id: str) -> bool:
    with workspace.store.read() as tx:
        return tx.get(Round, round_id).state == RoundState.ANNOTATING


def _depth_mm(inside: np.ndarray, spacing_mm: tuple[float, float, float]) -> FloatArray:
    """Distance to the outline, positive inside."""
    depth: FloatArray = ndimage.distance_transform_edt(inside, sampling=spacing_mm)
    outside: FloatArray = ndimage.distance_transform_edt(~inside, sampling=spacing_mm)
    # Voxel centres next to the outline are about half a voxel away from it on either side.
    half = 0.5 * min(spacing_mm)
    return np.where(inside, depth - half, half - outside)
