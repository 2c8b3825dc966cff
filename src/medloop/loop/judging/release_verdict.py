"""A new model held against the one in use: which of them is in use then, and why in words."""

from dataclasses import dataclass

from medloop.core.records import Json, Model
from medloop.core.settings import ProjectSettings
from medloop.loop.foundation.model_choices import CANDIDATE, FEDERATION, TRIAL
from medloop.metrics.release import Gate
from medloop.metrics.succession import Comparison


@dataclass(frozen=True)
class Judged:
    """A model held against the one in use."""

    model: Model
    live: Model
    comparison: Comparison | None
    gate: Gate | None
    settings: ProjectSettings

    @property
    def by_gate(self) -> bool:
        """Whether the gate decides."""
        return self.settings.release == "gate" or FEDERATION in self.model.metrics

    @property
    def share(self) -> float:
        """Share of the cases in which it is tried first."""
        tried = self.by_gate and self.gate is not None and self.gate.may_be_tried
        return self.settings.release_canary if tried else 0.0

    @property
    def stays(self) -> bool:
        """Whether the one in use stays so."""
        if self.by_gate:
            return self.gate is None or not self.gate.passes or self.share > 0
        return self.comparison is not None and self.comparison.verdict == "worse"

    def reason(self, *, pinned: bool) -> str:
        """Why, in words."""
        model, live = f"model {self.model.index}", f"model {self.live.index}"
        found = self.gate or self.comparison
        judged = found.text if found else f"not compared with {live}: no patient was judged with both"
        if pinned:
            return f"{live} stays in use as it is pinned; {model}: {judged}"
        if self.share:
            passed = "passes the gate and " if self.gate is not None and self.gate.passes else ""
            return f"{model} {passed}is on trial in {self.share:.0%} of the cases, {live} stays in use: {judged}"
        if self.stays and self.by_gate:
            return f"{model} is a candidate, {live} stays in use: {judged}"
        return f"{live} stays in use, {model} is worse: {judged}" if self.stays else f"{model} is in use: {judged}"

    def to_json(self, *, pinned: bool) -> Json:
        """As a decision keeps it; a model that the gate could have put to use is a candidate also where another one is pinned."""
        found = self.comparison.to_json() if self.comparison else {}
        if self.gate is not None:
            found["gate"] = self.gate.to_json()
        if self.by_gate and (pinned or self.stays):
            found[CANDIDATE] = True
        return {**found, TRIAL: self.share} if self.share and not pinned else found
