"""What a setting is: declared once, with default, range or choices, flag, when a change takes effect, and help."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, TypeVar

from medloop.core.errors import SettingError

SettingValue: TypeAlias = str | int | float | bool
Applies: TypeAlias = Literal["at once", "next query", "next training", "next import", "never"]

MAX_TEXT = 100
"""Longest text of a setting, in characters; also the most that a message repeats."""

OLDER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "summed": "aggregation",
        "guided": "interactive_network",
        "right_reasons": "explanation_penalty",
        "pseudo_labels": "unlabelled",
    }
)
"""Names that settings had before, as databases, plans of trainings, scripts and programs hold them, and today's."""

OLDER_VALUES: Mapping[str, Mapping[bool, str]] = MappingProxyType(
    {"warm_start": {True: "all", False: "scratch"}, "unlabelled": {True: "pseudo-labels", False: "none"}}
)
"""What yes and no of settings that were such before stand for."""

_YES, _NO = ("yes", "true", "on", "1"), ("no", "false", "off", "0")

C = TypeVar("C", bound=type[Any])


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting's declaration.

    Attributes:
        name: Its field, such as one of `ProjectSettings`, and key of `medloop configure`.
        kind: Type of its values.
        default: What a project has that was not told otherwise.
        help: One sentence for people.
        flag: Option of `medloop init`.
        applies: From when on a changed value counts; "never" cannot be changed once the project is made.
        low, high: Range of a number, both included.
        longest: Characters of a text at most.
        choices: The words it may be; empty for free text.
        shown_default: The default in words, where it depends on something.
        of_project: The project's setting that this one decides, where it belongs to a study.
        shorthand: A flag without a value that stands for one of the values.
    """

    name: str
    kind: type[Any]
    default: SettingValue
    help: str
    flag: str
    applies: Applies
    low: float = -math.inf
    high: float = math.inf
    longest: int = MAX_TEXT
    choices: tuple[str, ...] = ()
    shown_default: str = ""
    of_project: str = ""
    shorthand: tuple[str, SettingValue] | None = None

    @property
    def default_text(self) -> str:
        """The default as it is printed."""
        return self.shown_default or self.write(self.default)

    @property
    def meaning(self) -> str:
        """The help, and the words it may be."""
        return f"{self.help} One of {', '.join(self.choices)}." if self.choices else self.help

    def check(self, value: SettingValue, *, called: str = "") -> None:
        """Refuse a value outside the range or the choices; `called` is what people called the setting, its name by default.

        Raises:
            SettingError: Naming setting, rule and value.
        """
        name = called or self.name
        if type(value) is not self.kind and not (self.kind is float and type(value) is int):
            raise SettingError(f"{name} must be {_KINDS[self.kind]}, got {value!r}")
        if isinstance(value, str) and len(value) > self.longest:
            raise SettingError(f"{name} may have {self.longest} characters, got {len(value)}")
        if self.choices and value not in self.choices:
            raise SettingError(f"{name} must be one of {', '.join(self.choices)}, got {value!r}")
        if isinstance(value, int | float) and not self.low <= value <= self.high:
            shown = f"{value:.15g}" if isinstance(value, float) or abs(value) < 10**15 else f"a number of {value.bit_length()} bits"
            raise SettingError(f"{name} must lie between {self.low:.15g} and {self.high:.15g}, got {shown}")

    @staticmethod
    def write(value: SettingValue) -> str:
        """A value as `parse` reads it back."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        return (f"{value:g}" if float(f"{value:g}") == value else repr(value)) if isinstance(value, float) else str(value)

    def parse(self, text: str, *, called: str = "") -> SettingValue:
        """The value written as text, as on a command line; `called` as in `check`.

        Raises:
            SettingError: Text that is no such value.
        """
        try:
            value: SettingValue = current_value(self.name, _PARSERS[self.kind](text.strip()))
        except ValueError:
            shown = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
            raise SettingError(f"{called or self.name} must be {_KINDS[self.kind]}, got {shown!r}") from None
        self.check(value, called=called)
        return value


_TRUTHS: Mapping[str, bool] = MappingProxyType({**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)})


def _truth(text: str) -> bool:
    if text.lower() not in _TRUTHS:
        raise ValueError(text)
    return _TRUTHS[text.lower()]


_KINDS: Mapping[type[Any], str] = MappingProxyType({str: "text", int: "a whole number", float: "a number", bool: "yes or no"})
_PARSERS: Mapping[type[Any], Any] = MappingProxyType({str: str, int: int, float: float, bool: _truth})


def current_value(name: str, value: Any) -> Any:
    """The value of a setting, by its name of today; yes and no, as text too, where it was such before."""
    older = OLDER_VALUES.get(name, {})
    if isinstance(value, str) and older and value.lower() in _TRUTHS:
        return older[_TRUTHS[value.lower()]]
    return older[value] if isinstance(value, bool) and older else value


def current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by today's names of settings, whichever names they were given by, and as they are written today.

    Raises:
        SettingError: One setting by two names, with different values.
    """
    found: dict[str, Any] = {}
    for name, given in values.items():
        today = OLDER_NAMES.get(name, name)
        value = current_value(today, given)
        if today in found and found[today] != value:
            raise SettingError(f"{today} must be given once, got {found[today]!r} and {value!r}", remedy="leave out its older name")
        found[today] = value
    return found


def by_any_name(settings: C) -> C:
    """A class of settings that is made with their older names as well."""
    make = settings.__init__

    @functools.wraps(make)
    def made(self: Any, **values: Any) -> None:
        make(self, **current_names(values))

    settings.__init__ = made
    return settings


def setting(default: SettingValue, help: str, flag: str, applies: Applies, **rules: Any) -> Any:  # noqa: A002  # the field's name
    """A field that is declared as a setting; `declared` reads it back."""
    return dataclasses.field(default=default, metadata={"kind": type(default), "help": help, "flag": flag, "applies": applies, **rules})


def declared(settings: type[Any]) -> Mapping[str, Setting]:
    """Every setting of a dataclass whose fields were made by `setting`, by name, in order."""
    return MappingProxyType(
        {f.name: Setting(name=f.name, default=getattr(settings, f.name), **f.metadata) for f in dataclasses.fields(settings)}
    )
