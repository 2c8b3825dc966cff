"""Who is behind a request, as routes see them."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from fastapi import Depends
from starlette.requests import Request

from medloop.core.errors import NotFoundError, StateError
from medloop.core.roles import RIGHTS, Verb
from medloop.loop.people.accounts import Boss
from medloop.loop.people.signing_in import Person

SCOPE_KEY = "medloop.caller"
"""Where `medloop.server.web.guard` leaves who calls."""


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        name: Under which they annotate, unless they say otherwise on a machine of their own.
        person: The account behind them; None where there are no accounts, and the one person of this machine may do everything.
    """

    name: str
    person: Person | None = None

    @property
    def is_program(self) -> bool:
        """Whether a token speaks for them, and not they themselves."""
        return self.person is not None and self.person.sign_in_id is None

    def rights_in(self, project_id: str) -> frozenset[Verb]:
        """What they may do to a project."""
        return RIGHTS["administrator"] if self.person is None else self.person.rights_in(project_id)

    def may(self, project_id: str, verb: Verb) -> bool:
        """Whether they may do this to a project."""
        return verb in self.rights_in(project_id)

    def sees(self, project_id: str) -> bool:
        """Whether they have a role there at all; others do not learn that the project exists."""
        return bool(self.rights_in(project_id))


def require_role(caller: Caller, project: str) -> None:
    """Refuse who has no role in a project, as if there were none.

    Raises:
        NotFoundError: Then.
    """
    if not caller.sees(project):
        raise unknown_project(project)


def unknown_project(project: str) -> NotFoundError:
    """What an unknown project gives, and one in which somebody has no role."""
    return NotFoundError(f"No project {project}", remedy="see /api/v1/projects")


def _caller(request: Request) -> Caller:
    found = request.scope.get(SCOPE_KEY)
    if not isinstance(found, Caller):
        raise TypeError("No guard has looked at this request")
    return found


async def _caller_dependency(request: Request) -> Caller:
    return _caller(request)


CallerHere: TypeAlias = Annotated[Caller, Depends(_caller_dependency)]


async def _person(caller: CallerHere) -> Person:
    if caller.person is None:
        raise StateError(
            "There are no accounts here: one person uses this machine", remedy="medloop users add DIR NAME --role administrator"
        )
    return caller.person


SignedIn: TypeAlias = Annotated[Person, Depends(_person)]
"""The account behind a request; refused where there are none."""


async def _boss(person: SignedIn) -> Boss:
    return Boss(person.account.name, person.roles, person.account.id)


BossHere: TypeAlias = Annotated[Boss, Depends(_boss)]
"""The same, as one who changes accounts."""
