"""The rules for cases that arrive one at a time, by the name of the setting.

`fixed` cuts where the score has a meaning, `rate` where people have so much time a day, `variable` where uncertainty drifts and the budget
is a ceiling, `learned` where it is known afterwards whether an annotation was worth it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from medloop.query.streams.learned_querying import LearnedQuerying
from medloop.query.streams.thresholds import FixedThreshold, TargetRate, VariableUncertainty
from medloop.query.streams.verdicts import StreamState, Verdict

StreamRule: TypeAlias = FixedThreshold | TargetRate | VariableUncertainty | LearnedQuerying

RULES: Mapping[str, Callable[[float], StreamRule]] = MappingProxyType(
    {
        "fixed": lambda budget: FixedThreshold(1.0 - budget),
        "rate": lambda budget: TargetRate(budget, start_at=1.0 - budget),
        "variable": lambda budget: VariableUncertainty(budget),
        "learned": lambda budget: LearnedQuerying(1, price=1.0 - budget, explore=budget / 4),
    }
)
"""Made from the budget: the share of the cases that people have time for, for scores within 0..1 that are spread evenly."""


def judged(rule: StreamRule, state: StreamState, score: float) -> tuple[Verdict, StreamState]:
    """The verdict of any rule on one score.

    Raises:
        InputError: NaN, infinity, or a score outside the range of the rule.
    """
    return rule.judge(state, np.array([score])) if isinstance(rule, LearnedQuerying) else rule.judge(state, score)


def taught(rule: StreamRule, state: StreamState, score: float, *, worthwhile: bool) -> StreamState:
    """The state after an annotation that came of a verdict: every rule counts it, `LearnedQuerying` learns from it."""
    return rule.learn(state, np.array([score]), worthwhile) if isinstance(rule, LearnedQuerying) else state
