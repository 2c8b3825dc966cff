"""What a comparison of selection speed consists of: one input, several sides that solve the same task."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """One row of the table.

    Attributes:
        name: As printed.
        make: (cases, seed) → the inputs, the same for every side.
        cases: Size of the pool at full scale.
        sides: Library → function of the inputs that returns its picks; "medloop" is one of them. A side imports its
            library inside, before it is timed, by being called once on a small input.
        wanted: The figure to reach, in words.
        exact: Whether all sides must return the same picks in the same order.
    """

    name: str
    make: Callable[[int, int], Any]
    cases: int
    sides: Mapping[str, Callable[[Any], Any]]
    wanted: str
    exact: bool = False
