"""The kind of annotation that is queried of each case: whichever is worth most per predicted minute, in that order.

Weighed are all of the case, its most uncertain slices or regions, and a look at the proposal. Cases that no model has seen come last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from medloop.core.records import Case, Choice, Model, Prediction, QueryKind
from medloop.core.settings import QueryUnit
from medloop.interaction.attention import Place
from medloop.loop.foundation.effort import predict_minutes
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.kind_costs import KindCosts, doubt_of, kind_costs
from medloop.loop.querying.places import Looked, look_at, of_places, whole
from medloop.query.budget.kinds import Offer, best_offer, verifying
from medloop.store.reader import Reader

_WHAT: Mapping[QueryKind, str] = {
    "whole": "Annotate all of it",
    "slices": "Annotate these slices",
    "regions": "Annotate these regions",
    "verify": "Check the proposal",
    "marks": "Mark the structures in place of a mask",
}
MARKS_SET_RIGHT = 0.6
"""Share of what is wrong that marks set right: precision times recall of what scribbles make likely on cardiac MR, see
benchmarks/results/weak_labels.md."""

_UNITS: Mapping[QueryKind, QueryUnit] = {"slices": "slice", "regions": "region"}


def best_kinds(
    workspace: Workspace, tx: Reader, choices: Sequence[Choice], model: Model | None, seen: Mapping[str, Prediction]
) -> list[Choice]:
    """The choices with the kind of annotation worth most per minute, the worthiest first."""
    cases = {case.id: case for case in tx.find(Case, where={"id": [one.case_id for one in choices]})}
    known = _Known(workspace, tx, model, seen, kind_costs(workspace, tx), predict_minutes(tx, list(cases.values()), seen, whole=True))
    weighed = [_weighed(known, one, cases[one.case_id]) for one in choices]
    return [choice for choice, _ in sorted(weighed, key=lambda pair: -pair[1])]


@dataclass(frozen=True)
class _Known:
    """What kinds are weighed by: predictions by case id, minutes of annotating all of a case by its name."""

    workspace: Workspace
    tx: Reader
    model: Model | None
    seen: Mapping[str, Prediction]
    costs: KindCosts
    minutes: Mapping[str, float]


def _weighed(known: _Known, choice: Choice, case: Case) -> tuple[Choice, float]:
    """The choice with its best kind, and what that is worth per minute; −1 where nothing can be weighed."""
    seen, count = known.seen.get(case.id), known.workspace.settings.query_parts
    found = look_at(known.workspace, known.tx, case, known.model, seen)
    if isinstance(found, str) or seen is None:
        return whole(choice, found if isinstance(found, str) else "no model has seen it"), -1.0
    places = {kind: found.places(unit, count) for kind, unit in _UNITS.items() if _has(found, kind)}
    best = best_offer(
        offers_of(found, places, known.costs, doubt=doubt_of(case, seen), whole=known.minutes[case.name] * known.costs.longer)
    )
    return _chosen(choice, found, best, places), best.worth


def offers_of(found: Looked, places: Mapping[QueryKind, Sequence[Place]], costs: KindCosts, *, doubt: float, whole: float) -> list[Offer]:
    """What each kind of annotation of a case would set right, and take; all of it first."""
    gain, slices = found.gain, found.uncertain_slices()
    look = costs.look_minutes(whole, gain=gain, slices=slices)
    offers = [Offer("whole", gain, whole), verifying(gain, look, whole, costs.chance_accepted(doubt))]
    for kind, ranked in places.items():
        if ranked:
            minutes = costs.part_minutes(whole, kind=kind, seconds=[place.seconds for place in ranked], gain=gain, slices=slices)
            offers.append(Offer(kind, sum(place.gain for place in ranked), minutes))
    if costs.marks is not None and not found.drawn:
        offers.append(Offer("marks", MARKS_SET_RIGHT * gain, costs.marks / 60))
    return offers


def _has(found: Looked, kind: QueryKind) -> bool:
    """Whether a case has such parts: a picture is one slice."""
    return not (kind == "slices" and found.case.grid.is_2d)


def _chosen(choice: Choice, found: Looked, best: Offer, places: Mapping[QueryKind, Sequence[Place]]) -> Choice:
    made = replace(choice, kind=best.kind, minutes=round(best.minutes, 3))
    if best.kind in _UNITS:
        made = of_places(made, found.case, places[best.kind], _UNITS[best.kind])
    return replace(made, reason=f"{_words(best)}: {made.reason}")


def _words(best: Offer) -> str:
    """The kind, and what it is worth, in words."""
    return f"{_WHAT[best.kind]} (about {best.minutes:.2g} minutes, {best.gain:.3g} voxels are probably wrong there)"
