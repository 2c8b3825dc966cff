"""What a simulated person did, counted, so that the same work can be priced by several effort models."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from medloop.interaction.simulated_users.effort import EffortModel


@dataclass(frozen=True)
class Tally:
    """Gestures by kind.

    Attributes:
        viewed: Slices looked at, a second look included.
        aims: Clicks, and beginnings of outlines and drags, each of which is aimed as a click is.
        scribbles: Strokes given to an engine.
        drawn: Voxels of outline drawn, or along which an outline was pushed.
    """

    viewed: int = 0
    aims: int = 0
    scribbles: int = 0
    drawn: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Both after each other."""
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def seconds(self, effort: EffortModel) -> float:
        """What it took."""
        return effort.slice_viewed * self.viewed + effort.click * self.aims + effort.scribble * self.scribbles + effort.outline * self.drawn

    def to_json(self) -> dict[str, int]:
        """As plain numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, int]) -> "Tally":
        """Inverse of `to_json`."""
        return cls(**record)
