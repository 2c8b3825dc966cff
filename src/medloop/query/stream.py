"""Cases that arrive one at a time: ask or skip, without knowing the rest.

    stream = StreamSelector(TargetRate(rate=0.1))
    if stream.decide(doubt).ask: ...
    stream.feedback(worthwhile=True)
    kept = stream.to_json()          # and later StreamSelector.from_json(kept)

Which rule: `FixedThreshold` where the score has a meaning, `TargetRate` where people have so much time a day, `VariableUncertainty`
where doubt drifts and the budget is a ceiling, `LearnedAsking` where it is known afterwards whether a question was worth it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import FormatError, InputError, MedloopError
from medloop.query.streams.asking import LearnedAsking
from medloop.query.streams.thresholds import FixedThreshold, TargetRate, VariableUncertainty
from medloop.query.streams.verdicts import StreamState, Verdict

StreamRule: TypeAlias = FixedThreshold | TargetRate | VariableUncertainty | LearnedAsking

RULES: Mapping[str, type[StreamRule]] = MappingProxyType(
    {rule.__name__: rule for rule in (FixedThreshold, TargetRate, VariableUncertainty, LearnedAsking)}
)
"""Rules by the name under which a kept state finds them again."""


class StreamSelector:
    """Decides case by case; not safe for several threads at once.

    Args:
        rule: How the threshold moves.

    Attributes:
        rule: The same.
        state: Everything remembered between cases.
    """

    def __init__(self, rule: StreamRule) -> None:
        self.rule = rule
        self.state = rule.start()

    def decide(self, value: float | FloatArray) -> Verdict:
        """Ask for this case or skip it.

        Args:
            value: Its score, higher means query sooner; for `LearnedAsking` its features, shape (dimensions,).

        Raises:
            InputError: NaN or infinity, a value of another shape, or a score outside the range of the rule.
        """
        if isinstance(self.rule, LearnedAsking):
            verdict, self.state = self.rule.judge(self.state, np.asarray(value))
        else:
            verdict, self.state = self.rule.judge(self.state, _score(value))
        return verdict

    def feedback(self, *, worthwhile: bool, value: FloatArray | None = None) -> None:
        """Say whether the answer to an asked case was worth it, for example because it corrected the model's proposal.

        Every rule counts it; `LearnedAsking` learns from it. Answers may come late and in any order.

        Args:
            worthwhile: Whether it was.
            value: The features that were decided on; needed by `LearnedAsking` only.

        Raises:
            InputError: `LearnedAsking` without features, or with some that are not numbers.
        """
        state = self.state
        if isinstance(self.rule, LearnedAsking):
            if value is None:
                raise InputError("A learned rule needs the features of the answered case", remedy="pass value=")
            state = self.rule.learn(state, value, worthwhile)
        self.state = replace(state, answered=state.answered + 1, worthwhile=state.worthwhile + worthwhile)

    def to_json(self) -> str:
        """Rule and state as text."""
        kept = {"rule": type(self.rule).__name__, "settings": asdict(self.rule), "state": asdict(self.state)}
        return json.dumps(kept, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "StreamSelector":
        """A selector that goes on where another stopped.

        Raises:
            FormatError: Text that `to_json` did not write.
        """
        try:
            kept = json.loads(text)
            stream = cls(RULES[kept["rule"]](**kept["settings"]))
            stream.state = _checked_state(kept["state"], stream.state)
        except (ValueError, KeyError, TypeError, MedloopError) as error:
            raise FormatError(f"Not the state of a stream: {error}", remedy="start a new StreamSelector") from error
        return stream


def _score(value: float | FloatArray) -> float:
    score = np.asarray(value, dtype=np.float64)
    if score.shape != () or not np.isfinite(score):
        raise InputError(f"A score must be one finite number, got {np.array2string(score, threshold=8)}")
    return float(score)


def _checked_state(kept: Mapping[str, Any], fresh: StreamState) -> StreamState:
    """The kept state, if it has the fields and lengths of a fresh one and holds numbers only."""
    if set(kept) != {field.name for field in fields(StreamState)}:
        raise FormatError(f"fields {sorted(kept)}")
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}
    state = StreamState(**values)
    numbers = [state.seen, state.asked, state.threshold, state.spending, state.answered, state.worthwhile, *state.weights, *state.squares]
    if not np.isfinite(np.array(numbers, dtype=np.float64)).all() or min(state.seen, state.asked, *state.squares, 0) < 0:
        raise FormatError("numbers must be finite, and counts 0 or more")
    if (len(state.weights), len(state.squares)) != (len(fresh.weights), len(fresh.squares)):
        raise FormatError(f"expected {len(fresh.weights)} weights, got {len(state.weights)} and {len(state.squares)} squares")
    return state
