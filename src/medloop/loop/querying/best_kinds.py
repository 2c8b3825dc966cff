"""The kind of annotation that is queried of each case: whichever is worth most per predicted minute, in that order.

Weighed are all of the case, its most uncertain slices or regions, scribbles, boxes or tags in place of a mask, and a look at the proposal,
which is accepted or rejected. Cases whose proposal was rejected come first, and are not looked at again; those that no model has seen come
last.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from medloop.core.records import Case, Choice, Model, Prediction, QueryKind
from medloop.core.settings import QueryUnit
from medloop.interaction.attention import Place
from medloop.loop.foundation.effort import predict_minutes
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.kind_costs import KindCosts, doubt_of, kind_costs
from medloop.loop.querying.mark_kinds import PRIORS
from medloop.loop.querying.places import Looked, look_at, of_places, whole
from medloop.loop.querying.rejected import lifted_cases
from medloop.query.budget.kinds import Offer, best_offer, verifying
from medloop.store.reader import Reader

_WHAT: Mapping[QueryKind, str] = {
    "whole": "Annotate all of it",
    "slices": "Annotate these slices",
    "regions": "Annotate these regions",
    "verify": "Check the proposal",
    "marks": "Mark the structures in place of a mask",
    "scribbles": "Scribble on the structures in place of a mask",
    "boxes": "Draw boxes around the structures in place of a mask",
    "tags": "Tag which structures are there in place of a mask",
}

_UNITS: Mapping[QueryKind, QueryUnit] = {"slices": "slice", "regions": "region"}


def best_kinds(
    workspace: Workspace, tx: Reader, choices: Sequence[Choice], model: Model | None, seen: Mapping[str, Prediction]
) -> list[Choice]:
    """The choices with the kind of annotation worth most per minute, the worthiest first."""
    cases = {case.id: case for case in tx.find(Case, where={"id": [one.case_id for one in choices]})}
    lifted = {one.case_id for one in lifted_cases(tx)}
    marked = {one.case_id for one in tx.marked_annotations(case_ids=list(cases))}
    costs, minutes = kind_costs(workspace, tx, model), predict_minutes(tx, list(cases.values()), seen, whole=True)
    known = _Known(workspace, tx, model, seen, costs, minutes, lifted, marked)
    weighed = [_weighed(known, one, cases[one.case_id]) for one in choices]
    return [choice for choice, _ in sorted(weighed, key=lambda pair: (pair[0].case_id not in lifted, -pair[1]))]


@dataclass(frozen=True)
class _Known:
    """What kinds are weighed by: predictions by case id, minutes of annotating all of a case by its name, cases rejected or marked."""

    workspace: Workspace
    tx: Reader
    model: Model | None
    seen: Mapping[str, Prediction]
    costs: KindCosts
    minutes: Mapping[str, float]
    lifted: Collection[str]
    marked: Collection[str]

    def without(self, case: Case) -> set[QueryKind]:
        """Kinds that are not offered of a case: a look where the proposal was rejected, marks where there are some."""
        looked: set[QueryKind] = {"verify"} if case.id in self.lifted else set()
        return looked | (set(PRIORS) if case.id in self.marked else set())


def _weighed(known: _Known, choice: Choice, case: Case) -> tuple[Choice, float]:
    """The choice with its best kind, and what that is worth per minute; −1 where nothing can be weighed."""
    seen, count = known.seen.get(case.id), known.workspace.settings.query_parts
    found = look_at(known.workspace, known.tx, case, known.model, seen)
    if isinstance(found, str) or seen is None:
        return whole(choice, found if isinstance(found, str) else "no model has seen it"), -1.0
    places = {kind: found.places(unit, count) for kind, unit in _UNITS.items() if _has(found, kind)}
    minutes = known.minutes[case.name] * known.costs.longer
    offers = offers_of(found, places, known.costs, doubt=doubt_of(case, seen), whole=minutes)
    best = best_offer([one for one in offers if one.kind not in known.without(case)])
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
    if not found.drawn:
        offers += [Offer(kind, costs.sets_right(kind) * gain, costs.mark_minutes(kind, whole, slices=slices)) for kind in PRIORS]
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
