"""Settings as options of a command, made from their declarations."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from medloop.core.declaring import OLDER_NAMES, Setting, SettingValue
from medloop.core.errors import SettingError

GIVEN, SHORT = "settings", "_shorthand"
"""The parameter of a decorated command that receives what was given, by setting name; the ending of options for shorthands."""


def with_setting_options(settings: Mapping[str, Setting]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option per setting, in the place of its parameter `settings`, which receives those that were given."""

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            given: dict[str, SettingValue] = {}
            for name, one in settings.items():
                value, short = _once(one, [values.pop(option) for option in (name, *_older(one))]), values.pop(f"{name}{SHORT}", None)
                if value is not None:
                    one.check(value, called=one.flag)
                    given[name] = value
                elif short and one.shorthand:
                    given[name] = one.shorthand[1]
            command(**values, **{GIVEN: given})

        own = inspect.signature(command, eval_str=True).parameters.values()
        parameters: list[inspect.Parameter] = []
        for parameter in own:
            parameters += [o for s in settings.values() for o in _options(s)] if parameter.name == GIVEN else [parameter]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what inspect and typer read
        run.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
        return run

    return with_options


def _older(declared: Setting) -> list[str]:
    short = declared.shorthand[0] if declared.shorthand else ""
    return [old for old, new in OLDER_NAMES.items() if new == declared.name and _flag(old) != short]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _once(declared: Setting, given: list[SettingValue | None]) -> SettingValue | None:
    """The value of a setting that was given by its option, by an older one, or by both alike."""
    values = [value for value in given if value is not None]
    if any(value != values[0] for value in values):
        raise SettingError(f"{declared.flag} must be given once, got {values[0]!r} and {values[1]!r}", remedy="leave out the older option")
    return values[0] if values else None


def _options(declared: Setting) -> list[inspect.Parameter]:
    shown: Any = False if declared.kind is bool else declared.default_text
    option = typer.Option(declared.flag, help=declared.meaning, show_default=shown)
    annotation = Annotated[declared.kind | None, option]  # type: ignore[name-defined]  # made at run time, for typer
    made = [inspect.Parameter(declared.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)]
    for old in _older(declared):
        hidden = Annotated[declared.kind | None, typer.Option(_flag(old), hidden=True)]  # type: ignore[name-defined]  # as above
        made.append(inspect.Parameter(old, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=hidden))
    if declared.shorthand:
        flag, value = declared.shorthand
        short = Annotated[bool, typer.Option(flag, help=f"The same as {declared.flag} {value}.")]
        made.append(inspect.Parameter(f"{declared.name}{SHORT}", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False, annotation=short))
    return made
