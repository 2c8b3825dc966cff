"""A simulated team: people of stated expertise, skill, speed and price."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from medloop.core.errors import SettingError
from medloop.core.names import checked_name
from medloop.core.records import Expertise
from medloop.simulation.outlines import Outline


@dataclass(frozen=True)
class Member:
    """One simulated annotator.

    Attributes:
        name: Unique in the team.
        expertise: As whoever leads the project states it; it need not be true.
        growth, waver, random: How they draw, in shares of the object's radius; see `Outline`.
        accuracy: Share of right classes, where the task is a classification.
        minutes: Mean time for a case.
        cost_per_minute: Their rate.
    """

    name: str
    expertise: Expertise
    minutes: float
    cost_per_minute: float
    growth: float = 0.0
    waver: float = 0.0
    random: bool = False
    accuracy: float = 0.9

    def __post_init__(self) -> None:
        checked_name(self.name)
        if self.expertise not in get_args(Expertise):
            raise SettingError(f"{self.name} must be one of {', '.join(get_args(Expertise))}, got {self.expertise!r}")
        if not (
            0 < self.minutes <= 1000 and 0 < self.cost_per_minute <= 1e6 and 0 <= self.accuracy <= 1 and abs(self.growth) + self.waver <= 1
        ):
            rule = "minutes and cost_per_minute lie above 0, accuracy within 0..1, growth and waver together within 1"
            raise SettingError(f"{self.name}: {rule}, got {self}")

    @property
    def outline(self) -> Outline:
        """How they draw."""
        return Outline(self.growth, self.waver, self.random)


STANDARD = (
    Member("Cora", "consultant", 4.0, 4.0, waver=0.02, accuracy=0.97),
    Member("Eva", "expert", 5.0, 2.0, waver=0.04, accuracy=0.92),
    Member("Gil", "novice", 6.0, 0.4, waver=0.06, accuracy=0.85),
    Member("Ora", "novice", 6.0, 0.4, growth=0.15, waver=0.04, accuracy=0.75),
    Member("Una", "novice", 6.0, 0.4, growth=-0.15, waver=0.04, accuracy=0.75),
    Member("Cal", "novice", 3.0, 0.4, waver=0.25, accuracy=0.65),
    Member("Ron", "novice", 2.0, 0.4, random=True, accuracy=0.5),
)
"""Good (three of different rank), too large, too small, careless, and at random; all but two are stated as novices."""


def read_team(path: Path) -> tuple[Member, ...]:
    """A team from a TOML file: a table per member, named by the member, with the fields of `Member`.

    Raises:
        SettingError: No such file, no TOML, a field that is unknown or missing, or nobody in it.
    """
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingError(f"The team in {path} cannot be read ({error})", remedy="write a TOML table per member") from error
    if not written:
        raise SettingError(f"The team in {path} has no member", remedy="write a TOML table per member")
    return tuple(_member(name, values) for name, values in written.items())


def _member(name: str, values: object) -> Member:
    known = [f.name for f in fields(Member) if f.name != "name"]
    if not isinstance(values, Mapping) or (unknown := sorted(set(values) - set(known))):
        found = f"got {unknown[0]}" if isinstance(values, Mapping) else "got a value"
        raise SettingError(f"{name} is a table of {', '.join(known)}, {found}")
    given: dict[str, Any] = dict(values)
    try:
        return Member(name, **given)
    except TypeError as error:
        raise SettingError(f"{name} needs expertise, minutes and cost_per_minute ({error})") from error
