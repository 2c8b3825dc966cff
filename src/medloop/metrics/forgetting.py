"""What a sequence of models keeps and what it hands on: scores of every model on every group of evaluation patients.

With R(t, g) the mean score of model t on group g, T the last model, f(g) the first model that learned cases of g:

    backward transfer   R(T, g) - R(f(g), g): what became of a group since it was learned; below 0 it was forgotten
    forgetting          the best of the models from f(g) to T - 1, minus R(T, g); never flattered by a first model that was weak
    forward transfer    R(f(g) - 1, g) - chance: what the models before knew of a group that none had learned
    remembering         1 - |min(mean backward transfer, 0)|

Differences are paired: of the same patients, with an interval over patients. Below `MIN_PATIENTS` patients there is none, and a note
says so. The best model of a forgetting is chosen by the same patients, which makes the figure a little too large.

Sources: Lopez-Paz & Ranzato 2017, arXiv:1706.08840, section 2 (backward and forward transfer); Chaudhry et al. 2018, arXiv:1801.10112,
section 3 (forgetting); Díaz-Rodríguez et al. 2018, arXiv:1810.13166, section 2 (remembering).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medloop.core.seeds import generator
from medloop.metrics.intervals import Interval, bootstrap_mean, paired_difference

Scores = Mapping[str, float]
"""Case id → score, 0..1."""


@dataclass(frozen=True)
class GroupCases:
    """The evaluation cases of one group.

    Attributes:
        name: Of the group.
        patients: Case id → patient.
        learned: Place of the first model that learned cases of the group, counted from 0; None where none has.
    """

    name: str
    patients: Mapping[str, str]
    learned: int | None


@dataclass(frozen=True)
class Transfers:
    """What became of one group; None where it cannot be said, with the reason in `note`."""

    backward: Interval | None
    forgetting: Interval | None
    forward: Interval | None
    note: str


def cell(scores: Scores, group: GroupCases) -> Interval | None:
    """Mean score of a model on a group; None where it was held against none of its cases."""
    shared = sorted(scores.keys() & group.patients.keys())
    if not shared:
        return None
    patients = [group.patients[i] for i in shared]
    return bootstrap_mean([scores[i] for i in shared], patients, generator(0, "matrix", group.name))


def transfers(rows: Sequence[Scores], group: GroupCases, *, chance: float = 0.0) -> Transfers:
    """What became of a group from the first model to the last.

    Args:
        rows: The scores of each model, oldest first.
        group: One of the groups.
        chance: Score of guessing.
    """
    first, last = group.learned, len(rows) - 1
    if first is None:
        return Transfers(None, None, None, "no model learned cases of it")
    forward = _above(rows[first - 1], group, chance) if first else None
    if first == last:
        return Transfers(None, None, forward, "learned by the last model only")
    backward = _difference(rows[last], rows[first], group)
    means = {t: found.mean for t in range(first, last) if (found := cell(rows[t], group)) is not None}
    best = max(means, key=lambda t: means[t]) if means else first
    return Transfers(backward, _difference(rows[best], rows[last], group), forward, "" if backward else "not evaluated on the same cases")


def _difference(a: Scores, b: Scores, group: GroupCases) -> Interval | None:
    shared = sorted(a.keys() & b.keys() & group.patients.keys())
    if not shared:
        return None
    patients = [group.patients[i] for i in shared]
    return paired_difference([a[i] for i in shared], [b[i] for i in shared], patients, generator(0, "transfer", group.name))


def _above(scores: Scores, group: GroupCases, chance: float) -> Interval | None:
    found = cell(scores, group)
    if found is None or found.low is None or found.high is None:
        return None if found is None else Interval(found.mean - chance, None, None, found.groups, found.note)
    return Interval(found.mean - chance, found.low - chance, found.high - chance, found.groups)


def mean_of(found: Sequence[Interval | None]) -> float | None:
    """Mean over the groups that have the figure; None where none has."""
    means = [one.mean for one in found if one is not None]
    return sum(means) / len(means) if means else None


def remembering(backward: float | None) -> float | None:
    """1 where nothing was forgotten on average, less by what was."""
    return None if backward is None else 1.0 - abs(min(backward, 0.0))
