"""Cases that a model cannot compute on because of their voxel size, slices or channels: left out with a line, the rest goes on."""

from collections import Counter
from collections.abc import Callable, Iterable

from medloop.core.errors import GridSizeError
from medloop.core.names import counted
from medloop.core.records import Case, Model
from medloop.loop.foundation.damage import OVERSIZED, VERB, DamagedCase, LeftOut
from medloop.loop.foundation.refusals import refusals
from medloop.loop.foundation.workspace import Workspace
from medloop.models.foundation.nnunet_recipe import Reads, recipe_of
from medloop.models.foundation.plans import common_channels


def computable(recipe: Reads, cases: Iterable[Case], left_out: LeftOut) -> list[Case]:
    """The cases whose working grid is not too large for a recipe's networks; the others are left out by name."""
    kept = []
    for case in cases:
        error = oversize(recipe, case)
        if error is None:
            kept.append(case)
        else:
            left_out.oversized(case, error)
    return kept


def misfit(recipe: Reads, case: Case) -> str:
    """Why a recipe's networks cannot read a case, whatever its voxel size; empty when they can."""
    if recipe.dimension == 2 and not case.grid.is_2d:
        return "with more than one slice, where the network reads one"
    if common_channels((case.channels, recipe.channels), dimension=recipe.dimension) is None:
        return f"with {counted(case.channels, 'channel')}, where the network reads {recipe.channels}"
    return ""


def fitting(recipe: Reads, cases: Iterable[Case], log: Callable[[str], None], *, what: str = "predictions") -> list[Case]:
    """The cases that a recipe's networks can read; one line says how many others are left out, and why."""
    kept, refused = list[Case](), Counter[str]()
    for case in cases:
        if reason := misfit(recipe, case):
            refused[reason] += 1
        else:
            kept.append(case)
    if refused:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()))
        log(f"{counted(refused.total(), 'case')} left out of the {what}, the rest goes on: {reasons}")
    return kept


def oversize(recipe: Reads, case: Case) -> GridSizeError | None:
    """Why a recipe's networks cannot compute on a case; None when they can."""
    from medloop.models.foundation.resample import working_shape

    try:
        working_shape(recipe, case.grid)
    except GridSizeError as error:
        return error
    return None


def oversized_cases(workspace: Workspace) -> tuple[DamagedCase, ...]:
    """Cases that some work left out for their size and that the model in use still cannot compute on, by name; none that was flagged."""
    with workspace.store.read() as tx:
        model = tx.live_model()
        noted = {event.noun_id for event in tx.events_about(OVERSIZED, verbs=[VERB])}
        if not noted:
            return ()
        refused = refusals(tx, sorted(noted))
        cases = [tx.get(Case, case_id) for case_id in noted if case_id not in refused]
        newest = model or next((one for one in tx.find(Model) if not one.outside), None)
    recipe = recipe_of(newest) if newest else None
    found = [(case, oversize(recipe, case)) for case in cases] if recipe else []
    told = [DamagedCase(case.id, case.name, error.message, f"{error.remedy}, or flag the case") for case, error in found if error]
    return tuple(sorted(told, key=lambda case: case.name))
