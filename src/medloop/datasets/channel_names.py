"""What `--channels` and `--references` mean, as people write them."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from medloop.core.errors import SettingError
from medloop.datasets.dataset import PLAINLY, Joining
from medloop.images.result import MAX_CHANNELS

KeptBeside: TypeAlias = Literal["none", "study", "patient"]
"""Which other series become references of a case: none, those of its study (files: of its name), or all of its patient."""


@dataclass(frozen=True)
class WantedChannel:
    """A channel: its name, and the text that names of files or descriptions of series have for it."""

    name: str
    text: str


@dataclass(frozen=True)
class Wanted:
    """How an opened source is to be read as cases of several series.

    Attributes:
        channels: In order; the first one gives the grid. () leaves cases as they are.
        joining: How they become one image.
        references: What becomes of the other series.
    """

    channels: tuple[WantedChannel, ...] = ()
    joining: Joining = PLAINLY
    references: KeptBeside = "none"


def wanted_named(channels: str = "", *, resample: bool = False, registered: bool = False, references: str = "none") -> Wanted:
    """What the options of an import mean.

    Args:
        channels: Names with commas between, the one with the grid first; NAME=TEXT where series or files call it something else.
        resample: Whether channels on other grids are resampled.
        registered: Whether somebody says that all channels are registered.
        references: A word of `KeptBeside`.

    Raises:
        SettingError: A channel without a name, or named twice; too many; an unknown word; references without channels.
    """
    named = tuple(_channel(part) for part in channels.split(",")) if channels.strip() else ()
    names = [one.name.upper() for one in named]
    if len(set(names)) < len(names):
        raise SettingError(f"Every channel of --channels has a name of its own, got {channels!r:.80}", remedy="name each once")
    if len(named) > MAX_CHANNELS:
        raise SettingError(f"A case has at most {MAX_CHANNELS} channels, got {len(named)}", remedy="name fewer")
    if references not in get_args(KeptBeside):
        words = ", ".join(get_args(KeptBeside))
        raise SettingError(f"--references must be one of {words}, got {references!r}")
    if references != "none" and not named:
        rule = "References lie beside a case, and --channels says which series is the case, got none"
        raise SettingError(rule, remedy="for example --channels T1 --references study")
    kept: KeptBeside = next(word for word in get_args(KeptBeside) if word == references)
    return Wanted(named, Joining(resample, registered), kept)


def _channel(part: str) -> WantedChannel:
    name, sign, text = (word.strip() for word in part.partition("="))
    if not name or (sign and not text) or not name.isprintable() or len(part) > 100:
        raise SettingError(f"--channels takes names with commas between, got {part!r:.60}", remedy="for example T1,T2 or T1=mprage,T2=tse")
    return WantedChannel(name, text or name)
