"""Cases that a model cannot compute on because of their voxel size: named and left out, the rest goes on."""

from collections.abc import Callable, Iterable

from medloop.core.errors import GridSizeError
from medloop.core.records import Case
from medloop.models.recipes import Recipe


def computable(recipe: Recipe, cases: Iterable[Case], log: Callable[[str], None] | None = None) -> list[Case]:
    """The cases whose working grid is not too large for a recipe's networks; the others are told to the log, each in a line."""
    from medloop.models.resample import working_shape

    kept = []
    for case in cases:
        try:
            working_shape(recipe, case.grid)
        except GridSizeError as error:
            if log is not None:
                log(f"{case.name} is left out: {error.message}; {error.remedy}")
        else:
            kept.append(case)
    return kept
