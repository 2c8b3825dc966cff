"""Which strategy a project's bandit follows in a round: what its earlier rounds brought, read from models and their evaluations.

Validation cases come first here, then the audit sample: a score that decides about queries should not be the one that is reported, and
scores of test cases never decide. Without either the strategies take turns.
"""

import numpy as np

from medloop.core.records import Query, Round, Split
from medloop.core.seeds import generator
from medloop.loop.foundation.workspace import Workspace
from medloop.query.bandit import PREFIX, Played, arms, chances
from medloop.store.reader import Reader

SPLITS: tuple[Split, ...] = ("validation", "audit")


def followed(workspace: Workspace, tx: Reader, round_index: int) -> tuple[str, str]:
    """The strategy of a round, and in words why; of a project without a bandit the project's, and ""."""
    setting = workspace.settings.strategy
    if not setting.startswith(PREFIX):
        return setting, ""
    names = arms(setting)
    if not any(tx.current_evaluations(split=split) for split in SPLITS):
        return names[round_index % len(names)], "in turn: the bandit has no validation or audit scores to go by"
    found = chances(names, played(tx, names))
    drawn = int(generator(workspace.settings.seed, "bandit", round_index).choice(len(names), p=found))
    return names[drawn], f"drawn by the bandit (chance {found[drawn]:.0%})"


def played(tx: Reader, names: tuple[str, ...]) -> list[Played]:
    """Rounds of these strategies that a model has learned from, oldest first, each with the rise of the score over the largest rise."""
    rises = [(name, max(rise, 0.0)) for name, rise in _rises(tx) if name in names]
    largest = max((rise for _, rise in rises), default=0.0)
    return [Played(name, rise / largest if largest > 0 else 0.0) for name, rise in rises]


def _rises(tx: Reader) -> list[tuple[str, float]]:
    """Strategy of each evaluated round, and how much higher its model scored than that of the evaluated round before it."""
    means = next((found for split in SPLITS if len(found := {e.model_id: e.mean for e in tx.current_evaluations(split=split)}) > 1), {})
    done = [r for r in tx.find(Round, order=("index",)) if r.query_id and r.model_id in means]
    scores = np.array([means[str(r.model_id)] for r in done])
    return [(tx.get(Query, str(r.query_id)).strategy, float(rise)) for r, rise in zip(done[1:], np.diff(scores), strict=True)]
