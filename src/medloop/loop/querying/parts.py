"""Slices, regions or superpixels in place of whole cases: which part of a chosen case is queried, and what an assignment was queried for.

The strategy chooses cases; of each, the slices or boxes follow where most voxels are probably wrong and nothing is annotated yet; the
part of a superpixel is the smallest box around it. A case that no model has seen, one without such a place, one whose bytes are damaged
and every evaluation case is queried whole.
"""

from collections.abc import Sequence

from medloop.core.records import Assignment, Case, Choice, Json, Model, Prediction
from medloop.core.settings import QueryUnit
from medloop.loop.foundation.named_frames import named_parts
from medloop.loop.foundation.partial_annotations import BoxPart, Part, SlicePart
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.best_kinds import best_kinds
from medloop.loop.querying.chosen import choice_of
from medloop.loop.querying.places import look_at, of_places, whole
from medloop.store.reader import Reader


def with_parts(workspace: Workspace, choices: Sequence[Choice], model: Model | None) -> list[Choice]:
    """The choices, each with the parts of its case that the setting `query_unit` wants; with `best` those worth most per minute first."""
    unit = workspace.settings.query_unit
    if unit == "case" or workspace.task.kind != "segmentation":
        return list(choices)
    with workspace.store.read() as tx:
        where = {"model_id": model.id if model else "", "case_id": [choice.case_id for choice in choices]}
        seen = {found.case_id: found for found in tx.find(Prediction, where=where)}
        if unit == "best":
            return best_kinds(workspace, tx, choices, model, seen)
        return [_with_parts(workspace, tx, one, model, seen.get(one.case_id), unit) for one in choices]


def _with_parts(workspace: Workspace, tx: Reader, choice: Choice, model: Model | None, seen: Prediction | None, unit: QueryUnit) -> Choice:
    found = look_at(workspace, tx, tx.get(Case, choice.case_id), model, seen, with_image=unit == "superpixel")
    if isinstance(found, str):
        return whole(choice, found)
    if unit == "slice" and found.case.grid.is_2d:
        return whole(choice, "it is one slice")
    places = found.places(unit, workspace.settings.query_parts)
    if not places:
        return whole(choice, f"no {unit} is uncertain that is not annotated yet")
    return of_places(choice, found.case, places, unit)


def queried_parts(tx: Reader, assignment: Assignment) -> tuple[Part, ...]:
    """What an assignment was queried for, by the project's template or its query; nothing where it is the whole case."""
    if named := named_parts(tx, assignment):
        return named
    chosen = choice_of(tx, assignment.round_id, assignment.case_id)
    return tuple(_part(part) for part in chosen.parts) if chosen else ()


def _part(value: Json) -> Part:
    if "axis" in value:
        return SlicePart(value["axis"], value["index"])
    (a, b, c), (d, e, f) = value["start"], value["stop"]
    return BoxPart((a, b, c), (d, e, f))
