"""How right each annotator probably is now: what their expertise says, gold cases, and the consensuses of what they read with others."""

from collections import defaultdict
from collections.abc import Mapping

from medloop.core.records import Annotator, Consensus, GoldReading, Project, Task
from medloop.loop.foundation.readings import gold_in_force
from medloop.raters.skill_prior import MASK_SPREAD, SkillEstimate, estimate_skill
from medloop.store.reader import Reader

RECENT = 500
"""Consensuses that count, the newest: people get better, or tired."""


def skill_estimates(tx: Reader) -> dict[str, SkillEstimate]:
    """The estimated skill of everybody who annotates, by id."""
    gold, shared = gold_scores(tx), _shared_scores(tx)
    task = tx.get(Task, tx.find(Project, limit=1)[0].task_id)
    spread = MASK_SPREAD if task.kind == "segmentation" else None
    return {
        one.id: estimate_skill(one.expertise, gold.get(one.id, ()), shared.get(one.id, ()), spread=spread) for one in tx.find(Annotator)
    }


def gold_scores(tx: Reader) -> dict[str, tuple[float, ...]]:
    """Scores on gold cases whose truth still stands, by annotator, in the order they were given."""
    readings = tx.find(GoldReading)
    in_force = {one.id for one in gold_in_force(tx, {r.case_id for r in readings}).values()}
    found = defaultdict[str, list[float]](list)
    for reading in readings:
        if reading.gold_id in in_force:
            found[reading.annotator_id].append(reading.score)
    return {who: tuple(scores) for who, scores in found.items()}


def _shared_scores(tx: Reader) -> Mapping[str, list[float]]:
    """Agreement with the newest consensus of each case read with others, by annotator."""
    made = {c.case_id: c for c in reversed(tx.find(Consensus, limit=RECENT, descending=True))}
    found = defaultdict[str, list[float]](list)
    for consensus in made.values():
        for who, skill in consensus.skills.items():
            if consensus.probabilities:  # of classes: over all cases of this annotator up to then, so that the newest one says it all
                found[who] = [skill["value"]] * skill["annotations"]
            else:
                found[who].append(skill["value"])
    return found
