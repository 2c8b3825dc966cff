"""Project settings as options of a command, made from their declarations."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from medloop.core.settings import SETTINGS, Setting, SettingValue

GIVEN = "settings"
"""The parameter of a decorated command that receives what was given, by setting name."""


def with_setting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option per setting, in the place of its parameter `settings`, which receives those that were given."""

    @functools.wraps(command)
    def run(**values: Any) -> None:
        given: dict[str, SettingValue] = {name: value for name in SETTINGS if (value := values.pop(name)) is not None}
        for name, value in given.items():
            SETTINGS[name].check(value, called=SETTINGS[name].flag)
        command(**values, **{GIVEN: given})

    own = inspect.signature(command, eval_str=True).parameters.values()
    parameters: list[inspect.Parameter] = []
    for parameter in own:
        parameters += [_option(s) for s in SETTINGS.values()] if parameter.name == GIVEN else [parameter]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what inspect and typer read
    run.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    return run


def _option(declared: Setting) -> inspect.Parameter:
    words = f" One of {', '.join(declared.choices)}." if declared.choices else ""
    shown: Any = False if declared.kind is bool else declared.default_text
    option = typer.Option(declared.flag, help=declared.help + words, show_default=shown)
    annotation = Annotated[declared.kind | None, option]  # type: ignore[name-defined]  # made at run time, for typer
    return inspect.Parameter(declared.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)
