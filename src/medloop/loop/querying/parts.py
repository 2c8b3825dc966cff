"""Slices, regions or superpixels in place of whole cases: which part of a chosen case is queried, and what an assignment was queried for.

The strategy chooses cases; of each, the slices or boxes follow where most voxels are probably wrong and nothing is annotated yet; the
part of a superpixel is the smallest box around it. A case that no model has seen, one without such a place, one whose bytes are damaged
and every evaluation case is queried whole.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace

from medloop.core.arrays import UNKNOWN
from medloop.core.errors import IntegrityError
from medloop.core.records import Assignment, Case, Choice, Json, Model, Prediction, Query, Round
from medloop.core.settings import QueryUnit
from medloop.images.encode import decode_mask
from medloop.interaction.attention import chances_of_entropy, rank_places, unreviewed
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.named_frames import named_parts
from medloop.loop.foundation.partial_annotations import BoxPart, Part, SlicePart, merged_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader


def with_parts(workspace: Workspace, choices: Sequence[Choice], model: Model | None) -> list[Choice]:
    """The choices, each with the parts of its case that the setting `query_unit` wants."""
    unit = workspace.settings.query_unit
    if unit == "case" or workspace.task.kind != "segmentation":
        return list(choices)
    with workspace.store.read() as tx:
        where = {"model_id": model.id if model else "", "case_id": [choice.case_id for choice in choices]}
        seen = {found.case_id: found for found in tx.find(Prediction, where=where)}
        return [_with_parts(workspace, tx, one, model, seen.get(one.case_id), unit) for one in choices]


def _with_parts(workspace: Workspace, tx: Reader, choice: Choice, model: Model | None, seen: Prediction | None, unit: QueryUnit) -> Choice:
    case, blobs = tx.get(Case, choice.case_id), workspace.store.blobs
    if model is None or seen is None or seen.uncertainty is None:
        return _whole(choice, "no model has seen it")
    if unit == "slice" and case.grid.is_2d:
        return _whole(choice, "it is one slice")
    classes = int(model.recipe.get("classes", workspace.task.classes))
    try:
        entropy = decode_mask(blobs.get(seen.uncertainty), case.grid.shape) / 255 * math.log(classes)
        known = merged_annotation(blobs, tx.partial_annotations(case_ids=[case.id]), case).array != UNKNOWN
        image = load_image(blobs, case).array if unit == "superpixel" else None
    except IntegrityError as error:  # nobody's next case fails for it
        return _whole(choice, f"its parts cannot be ranked ({error.message})")
    places = rank_places(
        unreviewed(chances_of_entropy(entropy, classes), known),
        kind="slice" if unit == "slice" else "region",
        axes=(case.grid.paging_axis,),
        count=workspace.settings.query_parts,
        image=image,
        spacing_mm=case.grid.spacing_mm,
    )
    parts: list[Part] = [BoxPart(p.start, p.stop) if p.axis is None else SlicePart(p.axis, p.index) for p in places]
    if not parts:
        return _whole(choice, f"no {unit} is uncertain that is not annotated yet")
    named = "; ".join(f"{_words(part, case, unit)}: {place.reason}" for part, place in zip(parts, places, strict=True))
    return replace(choice, parts=tuple(asdict(part) for part in parts), reason=f"{named}. The case: {choice.reason}")


def _whole(choice: Choice, why: str) -> Choice:
    return replace(choice, reason=f"{choice.reason}; whole, as {why}")


def queried_parts(tx: Reader, assignment: Assignment) -> tuple[Part, ...]:
    """What an assignment was queried for, by the project's template or its query; nothing where it is the whole case."""
    if named := named_parts(tx, assignment):
        return named
    if assignment.round_id is None or (query_id := tx.get(Round, assignment.round_id).query_id) is None:
        return ()
    choices = tx.get(Query, query_id).choices
    return tuple(_part(part) for one in choices if one.case_id == assignment.case_id for part in one.parts)


def _part(value: Json) -> Part:
    if "axis" in value:
        return SlicePart(value["axis"], value["index"])
    (a, b, c), (d, e, f) = value["start"], value["stop"]
    return BoxPart((a, b, c), (d, e, f))


def _words(part: Part, case: Case, unit: QueryUnit) -> str:
    """A part as the page numbers it, from 1."""
    if isinstance(part, SlicePart):
        if case.display.over_time:
            return f"frame {part.index + 1} of {case.grid.shape[part.axis]}"
        plane = next((p.name for p in case.grid.planes() if p.slice_axis == part.axis), "")
        return f"{plane} slice {part.index + 1} of {case.grid.shape[part.axis]}".strip()
    return f"{unit} {', '.join(f'{a + 1}–{b}' if b > a + 1 else str(b) for a, b in zip(part.start, part.stop, strict=True))}"
