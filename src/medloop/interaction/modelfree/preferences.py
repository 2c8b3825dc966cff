"""Which tool a person likes: answers kept against answers undone, per tool."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from medloop.core.errors import FormatError


@dataclass(frozen=True)
class Preferences:
    """Counts of what became of each tool's answers.

    Attributes:
        kept: Tool name to answers that stayed.
        undone: Tool name to answers that were taken back.
    """

    kept: Mapping[str, int] = field(default_factory=dict)
    undone: Mapping[str, int] = field(default_factory=dict)

    def accepted(self, tool: str) -> "Preferences":
        """With one more answer kept."""
        return replace(self, kept={**self.kept, tool: self.kept.get(tool, 0) + 1})

    def rejected(self, tool: str) -> "Preferences":
        """With one more answer undone."""
        return replace(self, undone={**self.undone, tool: self.undone.get(tool, 0) + 1})

    def rate(self, tool: str) -> float:
        """Share of kept answers, with one of each imagined beforehand: 0.5 for an untried tool (Laplace's rule)."""
        kept, undone = self.kept.get(tool, 0), self.undone.get(tool, 0)
        return (kept + 1) / (kept + undone + 2)

    def best(self, tools: Sequence[str]) -> str:
        """The tool with the highest rate; of equals the first."""
        return max(tools, key=self.rate)

    def draw(self, tools: Sequence[str], rng: np.random.Generator) -> str:
        """A tool to offer next: mostly the best, at times one of which too little is known.

        Source: Thompson 1933, doi:10.2307/2332286, with Beta(1, 1) beforehand.
        """
        rates = [rng.beta(self.kept.get(t, 0) + 1, self.undone.get(t, 0) + 1) for t in tools]
        return tools[int(np.argmax(rates))]

    def to_json(self) -> dict[str, Any]:
        """The counts as plain JSON."""
        return {"kept": dict(self.kept), "undone": dict(self.undone)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Preferences":
        """Inverse of `to_json`.

        Raises:
            FormatError: Counts that are missing, negative or no whole numbers.
        """
        try:
            counts = [dict(record[name]) for name in ("kept", "undone")]
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"Preferences hold counts 'kept' and 'undone' by tool, got {record!r}") from error
        if any(type(n) is not int or n < 0 for c in counts for n in c.values()):
            raise FormatError(f"Preferences count answers in whole numbers from 0, got {record!r}")
        return cls(*counts)
