"""The command line's edge: every command by name, and every error as one line with a remedy.

Exit status: 0 done, 1 failed, 2 wrong use. A traceback is shown only with MEDLOOP_DEBUG set. Commands import what
they need inside, so that `medloop --help` costs a tenth of a second and no torch.
"""

import os
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import typer

from medloop import __version__
from medloop.cli import (
    acquiring,
    annotated,
    annotations,
    configuring,
    continual,
    deidentifying,
    disposing,
    federating,
    keeping,
    learning,
    mapping,
    marks,
    measuring,
    models,
    pacs,
    pretraining,
    projects,
    prompting,
    proposers,
    referring,
    reviewing,
    routing,
    serving,
    sharing,
    streaming,
    studies,
    tracing,
    triage,
    users,
)
from medloop.core.errors import MedloopError, SettingError
from medloop.core.settings import setting_named

DEBUG = "MEDLOOP_DEBUG"
DONE, FAILED, WRONG_USE = 0, 1, 2

app = typer.Typer(
    name="medloop",
    help="Human-in-the-loop deep learning for medical images.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    serving.demo, configuring.init, configuring.configure, projects.import_, proposers.import_model,
    serving.serve, serving.worker, prompting.nninteractive,
    pretraining.pretrain, learning.train, learning.predict, learning.query, streaming.stream, models.models, continual.matrix,
    disposing.dispositions,
    projects.status, projects.report, acquiring.acquisition,
    measuring.measure, mapping.map_, triage.triage, triage.drift, triage.adapt, triage.quality, triage.calibrate,
    annotations.flag, annotations.annotators, annotated.annotated, marks.marks, routing.next_, tracing.trace,
    reviewing.review, reviewing.approve, reviewing.return_, reviewing.adjudicate, reviewing.suspects,
    projects.export, deidentifying.deidentify,
    learning.strategies, studies.simulate, continual.retention, keeping.audit, keeping.doctor, keeping.backup,
    sharing.join, sharing.move_blobs,
)  # fmt: skip
for command in COMMANDS:
    app.command(command.__name__.rstrip("_").replace("_", "-"))(command)
app.add_typer(users.users)
app.add_typer(pacs.pacs)
app.add_typer(referring.reference)
app.add_typer(federating.federate)
app.add_typer(routing.gold)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"medloop {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")] = False,
) -> None:
    """Human-in-the-loop deep learning for medical images."""


def run() -> None:
    """Run the command line of this process and leave it with its status."""
    sys.exit(status_of(sys.argv[1:]))


def status_of(arguments: Sequence[str]) -> int:
    """Run one command line, without the program's name, telling every error on stderr in one line; the exit status."""
    try:
        arguments = [re.sub(r"^--answers(?==|$)", "--annotations", word) for word in arguments]  # the older name
        _require_text(arguments)
        returned = app(args=list(arguments), prog_name="medloop", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        return _tell(error, arguments)
    if returned == _INTERRUPTED:
        return _say(FAILED, "Interrupted; what was finished is kept, the same command goes on from there")
    return returned if isinstance(returned, int) else DONE


_INTERRUPTED = 130
"""What Typer returns for Ctrl-C."""


def _require_text(arguments: Sequence[str]) -> None:
    """Refuse empty text: it is mostly a variable that is not set, and would be read as this folder or as nothing given."""
    for before, text in pairwise(("medloop", *arguments)):
        option, sign, value = text.partition("=") if text.startswith("--") else (before, "=", text)
        if sign and not value.strip() and option != "--instructions":
            raise SettingError(f"What follows {option} must not be empty, got {value!r}", remedy="give a text, or leave the option out")


def _tell(error: Exception, arguments: Sequence[str]) -> int:
    if isinstance(error, MedloopError):
        return _say(WRONG_USE if isinstance(error, SettingError) else FAILED, str(error))
    if isinstance(error, typer.Abort):
        return _say(FAILED, "Stopped")
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # a usage error of Typer, whatever its version
        context = getattr(error, "ctx", None)
        message, command = error.format_message() + _received(error, arguments), context.command_path if context else "medloop"
        if "\n" in message:  # the whole help, because nothing was asked
            typer.echo(message)
            return WRONG_USE
        return _say(WRONG_USE, f"{message.rstrip('.')}; {_as_setting(error, arguments)}see {command} --help")
    if isinstance(error, OSError) and error.filename is not None:
        return _say(FAILED, f"{error.filename} cannot be used ({error.strerror}); check the path and who may use it")
    return _say(FAILED, f"Unexpected {type(error).__name__}: {error}; run it again with {DEBUG}=1 to see where")


def _received(error: Exception, arguments: Sequence[str]) -> str:
    """The value of the option that a usage error is about, where its message leaves it out."""
    flags = getattr(getattr(error, "param", None), "opts", ())
    spread = [part for text in arguments for part in (text.split("=", 1) if text.startswith("--") else [text])]
    values = [value for flag, value in pairwise(spread) if flag in flags]
    return f", got {values[-1]!r}" if values and hasattr(error, "message") else ""


def _as_setting(error: Exception, arguments: Sequence[str]) -> str:
    """How a setting of a project is written, where somebody gave it as an option to a command that has none of that name."""
    flag = str(getattr(error, "option_name", ""))
    try:
        found = setting_named(flag.lstrip("-"))
    except SettingError:
        return ""
    if arguments[0] == "init":
        return f"{found.name} is {found.flag} here; "
    spread = [*(part for text in arguments for part in (text.split("=", 1) if text.startswith("--") else [text])), "--"]
    value = next((after for before, after in pairwise(spread) if before == flag and not after.startswith("--")), "VALUE")
    return f"a project's settings are written medloop configure DIR {found.name}={value}; "


def _say(status: int, text: str) -> int:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    typer.echo(f"medloop: {line}", err=True)
    return status
