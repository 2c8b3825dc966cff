"""Options that belong together, as one parameter of a command: the fields of a dataclass."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, get_type_hints


def with_option_group(name: str, group: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option per field of a dataclass, in the place of its parameter of that name, which receives the values."""

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(group, include_extras=True)
        options = [_option(one.name, hints[one.name], _default(one)) for one in fields(group)]

        @functools.wraps(command)
        def run(**values: Any) -> None:
            given = group(**{option.name: values.pop(option.name) for option in options})
            command(**values, **{name: given})

        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            parameters += options if parameter.name == name else [parameter]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what inspect and typer read
        run.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
        return run

    return with_options


def _default(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    given = inspect.Parameter.empty if default is MISSING else default
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=given, annotation=annotation)
