"""Who may do what: one table of roles and verbs, read by the server, the page, the command line and the documentation.

A role is held for one project or for all of them. Verbs say what a request does to a project; `administer` is about the
accounts themselves. Rights add up: somebody with two roles may do what either of them may.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias, TypeVar, get_args

from medloop.core.errors import SettingError

Role: TypeAlias = Literal["administrator", "lead", "reviewer", "annotator", "viewer"]
Verb: TypeAlias = Literal["look", "annotate", "review", "sign", "add", "decide", "train", "export", "manage", "administer"]
Scope: TypeAlias = Literal["read", "annotate", "all"]

Word = TypeVar("Word", Role, Scope)

ROLES: tuple[Role, ...] = get_args(Role)
"""From the one who may do most to the one who may do least."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

VERBS: Mapping[Verb, str] = MappingProxyType(
    {
        "look": "see cases, annotations, predictions, progress and reports",
        "annotate": "open cases, draw, submit, skip, flag; one's own assignments only",
        "review": "see the review queue, suspects and others' drafts; return, adjudicate, restore; skip and flag what others have open",
        "sign": "approve annotations with a signature",
        "add": "send new images",
        "decide": "change settings, instructions and labels",
        "train": "start trainings, choose the model in use, cancel jobs",
        "export": "take annotations and models out as files",
        "manage": "give roles up to one's own, set costs and expertise",
        "administer": "invite, disable and enable accounts, reset passwords",
    }
)
"""Every verb and what it allows."""

_VIEWER: frozenset[Verb] = frozenset({"look"})
_ANNOTATOR: frozenset[Verb] = _VIEWER | {"annotate"}
_REVIEWER: frozenset[Verb] = _ANNOTATOR | {"review", "sign"}
_LEAD: frozenset[Verb] = _REVIEWER | {"add", "decide", "train", "export", "manage"}

RIGHTS: Mapping[Role, frozenset[Verb]] = MappingProxyType(
    {
        "administrator": frozenset(VERBS),
        "lead": _LEAD,
        "reviewer": _REVIEWER,
        "annotator": _ANNOTATOR,
        "viewer": _VIEWER,
    }
)
"""The table."""

SCOPED: Mapping[Scope, frozenset[Verb]] = MappingProxyType(
    {"read": frozenset({"look"}), "annotate": frozenset({"look", "annotate", "review"}), "all": frozenset(VERBS)}
)
"""Of a role's verbs, those that a token of this scope keeps."""


def rights_of(roles: Iterable[Role]) -> frozenset[Verb]:
    """What somebody with these roles may do."""
    return frozenset().union(*(RIGHTS[role] for role in roles))


def is_within(role: Role, rights: frozenset[Verb]) -> bool:
    """Whether a role allows nothing beyond these rights: only such a one may be given or taken away by their holder."""
    return RIGHTS[role] <= rights


def roles_within(rights: frozenset[Verb]) -> list[Role]:
    """The roles that somebody with these rights may give and take: none without `manage`."""
    return [role for role in ROLES if is_within(role, rights)] if "manage" in rights else []


def checked_role(name: str) -> Role:
    """The role of that name.

    Raises:
        SettingError: There is none.
    """
    return _known("A role", name, ROLES)


def checked_scope(name: str) -> Scope:
    """The scope of that name.

    Raises:
        SettingError: There is none.
    """
    return _known("A token's scope", name, SCOPES)


def _known(what: str, name: str, words: tuple[Word, ...]) -> Word:
    for word in words:
        if word == name:
            return word
    raise SettingError(f"{what} is one of {', '.join(words)}, got {name!r}")


def rights_table() -> str:
    """The table in Markdown: a line for each verb, a column for each role."""
    lines = [f"| Verb | {' | '.join(ROLES)} | Allows to |", f"| --- |{' --- |' * (len(ROLES) + 1)}"]
    for verb, meaning in VERBS.items():
        marks = " | ".join("yes" if verb in RIGHTS[role] else "" for role in ROLES)
        lines.append(f"| `{verb}` | {marks} | {meaning} |")
    return "\n".join(lines)
