"""What a running server consists of, and how a route finds its part of it."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias
from urllib.parse import unquote_to_bytes

from fastapi import Depends, Header
from starlette.requests import Request

from medloop.core.errors import InputError
from medloop.core.names import MAX_NAME
from medloop.core.records import Annotator, Case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.server.web.assistant import AssistantLink
from medloop.server.web.feed import Feed
from medloop.server.web.folders import Projects
from medloop.server.web.proposals import Proposer
from medloop.server.web.settings import ServerSettings
from medloop.server.wire.schemas import Id


@dataclass(frozen=True)
class Site:
    """One running server."""

    settings: ServerSettings
    projects: Projects
    feed: Feed
    proposer: Proposer
    assistant: AssistantLink


async def _site(request: Request) -> Site:
    site = request.app.state.site
    if not isinstance(site, Site):
        raise TypeError("The application has not been started")
    return site


MAX_SENT = MAX_NAME * 12
"""Longest name as sent, in characters: four bytes of three characters each for every letter."""

SiteHere: TypeAlias = Annotated[Site, Depends(_site)]


def _workspace(site: SiteHere, project: Id) -> Workspace:
    return site.projects.get(project)


WorkspaceHere: TypeAlias = Annotated[Workspace, Depends(_workspace)]


def _case(workspace: WorkspaceHere, case: Id) -> Case:
    return workspace.store.get(Case, case)


CaseHere: TypeAlias = Annotated[Case, Depends(_case)]


async def _annotator_name(
    site: SiteHere,
    x_annotator: Annotated[
        str | None, Header(max_length=MAX_SENT, description="Who annotates, percent-encoded; default from the settings.")
    ] = None,
) -> str:
    if not x_annotator:
        return site.settings.annotator
    try:
        return unquote_to_bytes(x_annotator.encode("latin-1")).decode()
    except UnicodeError as error:
        raise InputError("X-Annotator must be percent-encoded UTF-8", remedy="encode the name as encodeURIComponent does") from error


AnnotatorName: TypeAlias = Annotated[str, Depends(_annotator_name)]
"""The local person's name as sent; `annotator_named` checks it."""


def _person(workspace: WorkspaceHere, annotator: AnnotatorName) -> Annotator:
    return annotator_named(workspace, annotator)


PersonHere: TypeAlias = Annotated[Annotator, Depends(_person)]
"""Who asks, by a checked name; joined at first use. Every route that changes something and belongs to no assignment
writes this person's id into the audit."""
