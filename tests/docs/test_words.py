"""Documentation, help, public docstrings, settings, REST fields and messages use the field's words (docs/glossary.md)."""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator

import click
import pytest
import typer.main
from fastapi import FastAPI

import medloop
from medloop.cli.main import app
from medloop.core.settings import SETTINGS
from medloop.server.app import ROUTERS
from medloop.simulation.study_settings import STUDY_SETTINGS

from ..conftest import REPOSITORY
from .test_snippets import TEXTS

PRIVATE = {
    r"mend(s|ed|ing)?": "correct, edit",
    r"doubt(s|ed|ful|fully)?": "uncertainty, uncertain",
    r"gestures?": "prompt",
    r"hint(s|ed)?": "prompt",
    r"robots?": "simulated annotator",
    r"rehears\w*|apprentice": "click simulation",
    r"teach(es|ing)?|taught": "train on",
    r"noted": "reported",
    r"hands?": "say what is meant: by a person, held, given",
    r"heed(s|ed)?": "follow, enforce",
    r"told|said|speaks? of": "given, printed, refers to",
    r"(un)?answered|answers? (of|to) (a|the|every|each) cases?": "annotated, unlabelled",
    r"ask(s|ed|ing)?": "query, request, need",
    r"spoil(s|t|ed|ing)?": "corrupt",
    r"guess(es|ed)?": "predicted",
    r"folded|unfolded": "space-to-depth stem",
}
"""Words that docs and help must not use, and the field's term for each."""

ALLOWED = {
    "by hand": "plain English for without a program",
    "hints: How": "a field of recipes that stored models carry",
    "luck cannot be told from merit": "quotes what a report of that time printed",
}
"""Phrases in which such a word stays, each with its reason."""

SHORT = r"(un)?answer(s|ed|ing)?|unasked"
"""What names and messages must not hold either; in prose an answer is also that of a server."""

SOURCES = REPOSITORY / "src/medloop"

PAGES = {**TEXTS, **{f"benchmarks/{p.name}": p.read_text(encoding="utf-8") for p in (REPOSITORY / "benchmarks").glob("*.md")}}
PAGES |= {"CONTRIBUTING.md": (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")}
PAGES |= {f"benchmarks/results/{p.name}": p.read_text(encoding="utf-8") for p in (REPOSITORY / "benchmarks/results").glob("*.md")}
NAMES_THEM = ("docs/glossary.md",)
"""Pages that name the older words in order to explain them."""


def _prose(text: str) -> str:
    """A page without its code, and without the phrases that are allowed."""
    text = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", " ", text, flags=re.DOTALL)
    for phrase in ALLOWED:
        text = text.replace(phrase, " ")
    return text


def _private(text: str) -> list[str]:
    return [
        f"{found.group()!r} in {' '.join(line.split())[:110]!r}: {term}"
        for line in _prose(text).splitlines()
        for word, term in PRIVATE.items()
        for found in re.finditer(rf"\b({word})\b", line, re.IGNORECASE)
    ]


def _in_names(names: Iterable[str]) -> list[str]:
    """Names with such a word, whichever way their parts are joined."""
    words = {name: re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name) for name in names}
    banned = re.compile("|".join([*PRIVATE, SHORT]), re.IGNORECASE)
    return [name for name, parts in words.items() if any(banned.fullmatch(part) for part in parts)]


def _messages(source: str) -> Iterator[str]:
    """Texts of the errors that a source raises, or makes to be raised."""
    for node in ast.walk(ast.parse(source)):
        raised = isinstance(node, ast.Raise) and node.exc is not None
        if raised or (isinstance(node, ast.Call) and re.search(r"(Error|Refused)$", ast.unparse(node.func))):
            strings = (part for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str))
            yield from (str(part.value) for part in strings)


def _help(command: click.Command) -> Iterator[str]:
    yield command.help or ""
    yield from (getattr(option, "help", None) or "" for option in command.params)
    for inner in getattr(command, "commands", {}).values():
        yield from _help(inner)


def _docstrings() -> Iterator[str]:
    for name in medloop.__all__:
        public = getattr(medloop, name)
        yield inspect.getdoc(public) or ""
        if inspect.isclass(public):
            own = (vars(public)[key] for key in vars(public) if not key.startswith("_"))
            yield from (inspect.getdoc(member) or "" for member in own if inspect.isroutine(member) or isinstance(member, property))


def test_a_private_word_is_found_in_prose_and_not_in_code() -> None:
    assert len(_private("Mend the mask.\n`mend` stays, by hand.\n```\nmend\n```")) == 1


@pytest.mark.parametrize("page", sorted(set(PAGES) - set(NAMES_THEM)))
def test_a_page_uses_the_fields_words(page: str) -> None:
    assert _private(PAGES[page]) == []


def test_the_help_of_every_command_uses_the_fields_words() -> None:
    assert [found for text in _help(typer.main.get_command(app)) for found in _private(text)] == []


def test_the_docstrings_of_public_names_use_the_fields_words() -> None:
    assert [found for text in _docstrings() for found in _private(text)] == []


def test_a_private_word_is_found_in_names_and_in_messages() -> None:
    assert _in_names(["TriageAnswer", "answered", "pool_hint", "annotated", "shape"]) == ["TriageAnswer", "answered", "pool_hint"]
    assert list(_messages('raise InputError(f"Mend {x}", remedy="ask")\nlog("told")\nraise refused\n')) == ["Mend ", "ask"] * 2


def test_settings_are_called_by_the_fields_words() -> None:
    assert _in_names([*SETTINGS, *STUDY_SETTINGS]) == []


def test_fields_and_parameters_of_rest_are_called_by_the_fields_words() -> None:
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    described = app.openapi()
    shapes = described["components"]["schemas"]
    operations = [one for verbs in described["paths"].values() for one in verbs.values()]
    parameters = [p for one in operations for p in one.get("parameters", [])]
    values = [v for p in parameters for v in p["schema"].get("enum", [])]
    fields = [name for shape in shapes.values() for name in shape.get("properties", {})]
    assert len(fields) > 200
    assert _in_names([*shapes, *fields, *described["paths"], *(p["name"] for p in parameters), *map(str, values)]) == []


@pytest.mark.parametrize("room", sorted(path.name for path in SOURCES.iterdir() if path.is_dir() and path.name != "__pycache__"))
def test_messages_use_the_fields_words(room: str) -> None:
    sources = [path.read_text(encoding="utf-8") for path in (SOURCES / room).rglob("*.py")]
    texts = [text for source in sources for text in _messages(source)]
    assert [text for text in texts if _private(text) or re.search(rf"\b({SHORT})\b", text, re.IGNORECASE)] == []
