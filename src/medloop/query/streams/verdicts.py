"""What a rule for a stream remembers and says."""

from dataclasses import dataclass

from medloop.core.errors import SettingError


@dataclass(frozen=True)
class StreamState:
    """What a rule remembers; numbers only, so that it survives a restart.

    Attributes:
        seen: Cases so far.
        asked: Of these, how many were asked.
        threshold: Where the next case is cut.
        spending: Recent share of asked cases (`VariableUncertainty` only).
        weights: Of the learned rule, one per feature and the bias.
        squares: Sums of squared gradients, of the same length.
    """

    seen: int = 0
    asked: int = 0
    threshold: float = 0.0
    spending: float = 0.0
    weights: tuple[float, ...] = ()
    squares: tuple[float, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Ask or skip.

    Attributes:
        query: Whether to query this case.
        threshold: What its value was compared with.
        reason: The same in words.
    """

    query: bool
    threshold: float
    reason: str


def require(kept: bool, rule: str) -> None:
    """Refuse a setting that breaks its rule.

    Raises:
        SettingError: It does.
    """
    if not kept:
        raise SettingError(rule)
