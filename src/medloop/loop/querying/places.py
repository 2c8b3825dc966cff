"""Where in a case a person should annotate: its uncertain places that nobody has annotated yet, and a choice that names them."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from medloop.core.arrays import UNKNOWN, FloatArray, ImageArray
from medloop.core.errors import IntegrityError
from medloop.core.records import Case, Choice, Model, Prediction
from medloop.core.settings import QueryUnit
from medloop.images.encode import decode_mask
from medloop.interaction.attention import Place, chances_of_entropy, rank_places, unreviewed
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.partial_annotations import BoxPart, Part, SlicePart, merged_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader


@dataclass(frozen=True, eq=False)
class Looked:
    """A case as its model sees it.

    Attributes:
        chances: That each voxel of the proposal is wrong, 0 where somebody has annotated, shape (I, J, K).
        image: Shape (C, I, J, K); None where it was not wanted.
        drawn: Whether slices or regions of it are annotated.
    """

    case: Case
    chances: FloatArray
    image: ImageArray | None = None
    drawn: bool = False

    @property
    def gain(self) -> float:
        """Voxels that are expected to be wrong."""
        return float(self.chances.sum())

    def uncertain_slices(self) -> int:
        """How many slices across the paging axis have a voxel that may be wrong; at least 1."""
        axis = self.case.grid.paging_axis
        return max(1, int(np.count_nonzero(np.moveaxis(self.chances, axis, 0).reshape(self.chances.shape[axis], -1).any(1))))

    def places(self, unit: QueryUnit, count: int) -> list[Place]:
        """The best places of a unit, at most `count`."""
        return rank_places(
            self.chances,
            kind="slice" if unit == "slice" else "region",
            axes=(self.case.grid.paging_axis,),
            count=count,
            image=self.image,
            spacing_mm=self.case.grid.spacing_mm,
        )


def look_at(
    workspace: Workspace, tx: Reader, case: Case, model: Model | None, seen: Prediction | None, *, with_image: bool = False
) -> Looked | str:
    """A case as the model sees it, or in words why its places cannot be ranked."""
    if model is None or seen is None or seen.uncertainty is None:
        return "no model has seen it"
    blobs, classes = workspace.store.blobs, int(model.recipe.get("classes", workspace.task.classes))
    try:
        entropy = decode_mask(blobs.get(seen.uncertainty), case.grid.shape) / 255 * math.log(classes)
        known = merged_annotation(blobs, tx.partial_annotations(case_ids=[case.id]), case).array != UNKNOWN
        image = load_image(blobs, case).array if with_image else None
    except IntegrityError as error:  # nobody's next case fails for it
        return f"its parts cannot be ranked ({error.message})"
    return Looked(case, unreviewed(chances_of_entropy(entropy, classes), known), image, bool(known.any()))


def whole(choice: Choice, why: str) -> Choice:
    """The choice of all of a case, which says why not of parts."""
    return replace(choice, reason=f"{choice.reason}; whole, as {why}")


def of_places(choice: Choice, case: Case, places: Sequence[Place], unit: QueryUnit) -> Choice:
    """The choice of these places of its case."""
    parts: list[Part] = [BoxPart(p.start, p.stop) if p.axis is None else SlicePart(p.axis, p.index) for p in places]
    named = "; ".join(f"{_words(part, case, unit)}: {place.reason}" for part, place in zip(parts, places, strict=True))
    return replace(choice, parts=tuple(asdict(part) for part in parts), reason=f"{named}. The case: {choice.reason}")


def _words(part: Part, case: Case, unit: QueryUnit) -> str:
    """A part as the page numbers it, from 1."""
    if isinstance(part, SlicePart):
        if case.display.over_time:
            return f"frame {part.index + 1} of {case.grid.shape[part.axis]}"
        plane = next((p.name for p in case.grid.planes() if p.slice_axis == part.axis), "")
        return f"{plane} slice {part.index + 1} of {case.grid.shape[part.axis]}".strip()
    return f"{unit} {', '.join(f'{a + 1}–{b}' if b > a + 1 else str(b) for a, b in zip(part.start, part.stop, strict=True))}"
