"""What a running server consists of, and how a route finds its part of it."""

from dataclasses import dataclass, field
from typing import Annotated, TypeAlias
from urllib.parse import unquote_to_bytes

from anyio import CapacityLimiter
from fastapi import Depends, Header
from starlette.requests import Request

from medloop.core.errors import ForbiddenError, InputError
from medloop.core.names import MAX_NAME, folded
from medloop.core.records import Annotator, Assignment, Case
from medloop.loop.foundation.annotators import annotator_named, known_annotator
from medloop.loop.foundation.blinding import hidden_cases, is_hidden
from medloop.loop.foundation.gold import open_checks, unread_gold
from medloop.loop.foundation.workspace import Workspace
from medloop.server.web.assistant import AssistantLink
from medloop.server.web.callers import Caller, CallerHere, require_role
from medloop.server.web.feed import Feed
from medloop.server.web.folders import Projects
from medloop.server.web.people import People
from medloop.server.web.proposals import Proposer
from medloop.server.web.provider_sign_in import ProviderSignIn
from medloop.server.web.settings import ServerSettings
from medloop.server.wire.schemas import Id
from medloop.store.reader import Reader


@dataclass(frozen=True)
class Site:
    """One running server."""

    settings: ServerSettings
    projects: Projects
    feed: Feed
    proposer: Proposer
    assistant: AssistantLink
    people: People
    elsewhere: ProviderSignIn
    drawing: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))
    """Pictures of cases are made one at a time: each holds a whole image in memory."""


async def _site(request: Request) -> Site:
    site = request.app.state.site
    if not isinstance(site, Site):
        raise TypeError("The application has not been started")
    return site


MAX_SENT = MAX_NAME * 12
"""Longest name as sent, in characters: four bytes of three characters each for every letter."""

SiteHere: TypeAlias = Annotated[Site, Depends(_site)]


def _workspace(site: SiteHere, caller: CallerHere, project: Id) -> Workspace:
    require_role(caller, project)  # once more: what the guard does not know of must not be open
    return site.projects.get(project)


WorkspaceHere: TypeAlias = Annotated[Workspace, Depends(_workspace)]


def _case(workspace: WorkspaceHere, case: Id) -> Case:
    return workspace.store.get(Case, case)


CaseHere: TypeAlias = Annotated[Case, Depends(_case)]


async def _annotator_name(
    caller: CallerHere,
    x_annotator: Annotated[
        str | None,
        Header(
            max_length=MAX_SENT, description="Who annotates, percent-encoded; default from the settings. With accounts: nobody but oneself."
        ),
    ] = None,
) -> str:
    if not x_annotator:
        return caller.name
    try:
        name = unquote_to_bytes(x_annotator.encode("latin-1")).decode()
    except UnicodeError as error:
        raise InputError("X-Annotator must be percent-encoded UTF-8", remedy="encode the name as encodeURIComponent does") from error
    if caller.person is None:
        return name
    if folded(name.strip()) != caller.person.account.key:
        raise ForbiddenError(f"You are signed in as {caller.name} and annotate under that name", remedy="leave X-Annotator out")
    return caller.name


AnnotatorName: TypeAlias = Annotated[str, Depends(_annotator_name)]
"""Who annotates: the account, or on one's own machine the name as sent; `annotator_named` checks it."""


def _person(workspace: WorkspaceHere, annotator: AnnotatorName) -> Annotator:
    return annotator_named(workspace, annotator)


PersonHere: TypeAlias = Annotated[Annotator, Depends(_person)]
"""Who asks, by a checked name; joined at first use. Every route that changes something and belongs to no assignment
writes this person's id into the audit."""


@dataclass(frozen=True)
class Viewer:
    """Who looks at a case.

    Attributes:
        annotator_id: "" for somebody who has annotated nothing here.
        reviews: An account that may review sees what every reader gave, but of a gold case that they have open themselves.
    """

    annotator_id: str
    reviews: bool

    def sees(self, tx: Reader, case_id: str) -> bool:
        """Whether they may see the annotations of a case."""
        return case_id not in self.unread(tx) and (self.reviews or not is_hidden(tx, case_id, self.annotator_id))

    def hidden(self, tx: Reader) -> set[str]:
        """The annotated cases whose annotations they may not see."""
        return self.unread(tx) | (set() if self.reviews else hidden_cases(tx, self.annotator_id))

    def unread(self, tx: Reader) -> set[str]:
        """The gold cases that must look to them like cases that nobody has annotated."""
        return open_checks(tx, self.annotator_id) if self.reviews else unread_gold(tx, self.annotator_id)


def _viewer(workspace: WorkspaceHere, name: AnnotatorName, caller: CallerHere) -> Viewer:
    with workspace.store.read() as tx:
        found = known_annotator(tx, name)
    return Viewer(found.id if found else "", caller.person is not None and caller.may(workspace.project.id, "review"))


ViewerHere: TypeAlias = Annotated[Viewer, Depends(_viewer)]
"""Who looks; nobody joins by looking."""


def is_own(workspace: Workspace, assignment_id: str, caller: Caller) -> bool:
    """Whether an assignment is the caller's; where there are no accounts, every one is.

    Raises:
        NotFoundError: No such assignment.
    """
    if caller.person is None:
        return True
    with workspace.store.read() as tx:
        name = tx.get(Annotator, tx.get(Assignment, assignment_id).annotator_id).name
    return folded(name) == caller.person.account.key


def require_reviewer(workspace: Workspace, assignment_id: str, caller: Caller) -> None:
    """Refuse an assignment of somebody else to who does not review.

    Raises:
        ForbiddenError: Then.
    """
    if not is_own(workspace, assignment_id, caller) and not caller.may(workspace.project.id, "review"):
        raise ForbiddenError("This assignment is somebody else's", remedy="open the case under your own name")


def _reviewable(workspace: WorkspaceHere, assignment: Id, caller: CallerHere) -> str:
    require_reviewer(workspace, assignment, caller)
    return assignment


def _own(workspace: WorkspaceHere, assignment: Id, caller: CallerHere) -> str:
    require_reviewer(workspace, assignment, caller)
    if not is_own(workspace, assignment, caller):
        rule = "An annotation names who gave it: only its owner draws on this assignment"
        raise ForbiddenError(rule, remedy="open the case under your own name; skip or flag it if it must not be annotated")
    return assignment


ReviewedAssignment: TypeAlias = Annotated[str, Depends(_reviewable)]
"""An assignment that is the caller's, or that they review."""

OwnAssignment: TypeAlias = Annotated[str, Depends(_own)]
"""An assignment that is the caller's."""
