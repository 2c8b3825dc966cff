"""What each route needs: every "METHOD /path" of the interface has one line, and a route without one keeps the server from starting.

`open` needs nothing, `self` an account (and is about nothing but it), everything else a right in the project that the address
names; without a project in the address, in any.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import compile_path

from medloop.core.roles import Verb

Need: TypeAlias = Verb | Literal["open", "self"]

_CASE = "/projects/{project}/cases/{case}"
_WORK = "/projects/{project}/assignments/{assignment}"
_OPEN: tuple[str, ...] = ("GET /health", "GET /sign-in", "POST /sign-in", "POST /oidc/leave", "POST /oidc/return", "POST /links/{use}")
_SELF: tuple[str, ...] = (
    "GET /projects",
    "GET /me",
    "POST /sign-out",
    "POST /me/password",
    "PUT /me/preferences",
    "GET /me/tokens",
    "POST /me/tokens",
    "POST /me/tokens/{token}/revoke",
)
_LOOK: tuple[str, ...] = (
    "GET /projects/{project}",
    "GET /projects/{project}/settings",
    "GET /projects/{project}/pictures/{number}",
    "GET /projects/{project}/cases",
    "GET /projects/{project}/cases/csv",
    f"GET {_CASE}",
    f"GET {_CASE}/look",
    f"GET {_CASE}/superpixels",
    f"GET {_CASE}/thumbnail",
    f"GET {_CASE}/change/{{index}}",
    "GET /projects/{project}/change",
    f"GET {_CASE}/readings",
    f"GET {_CASE}/history",
    f"GET {_CASE}/voxels",
    f"GET {_CASE}/references",
    f"GET {_CASE}/references/{{reference}}/voxels",
    f"GET {_CASE}/measures",
    f"GET {_CASE}/acquisition",
    f"GET {_CASE}/measurements",
    f"GET {_CASE}/explanation",
    f"GET {_CASE}/hypotheses",
    f"GET {_CASE}/similar",
    f"GET {_CASE}/objections",
    "GET /projects/{project}/upcoming",
    "GET /projects/{project}/predictions/{prediction}",
    "GET /projects/{project}/predictions/{prediction}/mask",
    "GET /projects/{project}/predictions/{prediction}/uncertainty",
    "GET /projects/{project}/annotations/{annotation}/mask",
    "GET /projects/{project}/annotations/{annotation}/provenance",
    "GET /projects/{project}/annotations/{annotation}/steps",
    "GET /projects/{project}/consensuses/{consensus}/uncertainty",
    "GET /projects/{project}/agreement",
    "GET /projects/{project}/progress",
    "GET /projects/{project}/report",
    "GET /projects/{project}/triage",
    "GET /projects/{project}/drift",
    "GET /projects/{project}/federations",
    "GET /projects/{project}/dispositions",
    "GET /projects/{project}/map",
    "GET /projects/{project}/pretraining",
    "GET /projects/{project}/matrix",
    "GET /projects/{project}/retention",
    "GET /projects/{project}/jobs",
    "GET /projects/{project}/jobs/{job}/log",
    "GET /projects/{project}/stream",
)
_ANNOTATE: tuple[str, ...] = (
    f"POST {_CASE}/objections",
    f"POST {_CASE}/measurements",
    "POST /projects/{project}/acquisition",
    "PATCH /projects/{project}/measurements/{measurement}",
    "POST /projects/{project}/next",
    f"POST {_CASE}/open",
    f"GET {_WORK}/draft",
    f"PATCH {_WORK}/draft",
    f"POST {_WORK}/fill",
    f"POST {_WORK}/propagate",
    f"PUT {_WORK}/frames",
    f"PUT {_WORK}/annotated",
    f"GET {_WORK}/steps",
    f"POST {_WORK}/trace",
    f"POST {_WORK}/submit",
    f"POST {_WORK}/reject",
    f"PUT {_WORK}/mask",
    f"GET {_WORK}/marks",
    f"POST {_WORK}/marks",
    f"PUT {_WORK}/effort",
    f"POST {_WORK}/undo",
    f"GET {_WORK}/outlook",
    f"GET {_WORK}/proposal",
    f"GET {_WORK}/places",
    f"POST {_WORK}/places/{{number}}/visited",
    f"POST {_WORK}/skip",
    f"POST {_WORK}/flag",
    f"POST {_WORK}/release",
    f"GET {_WORK}/feedback",
    f"GET {_WORK}/feedback/picture",
    f"GET {_WORK}/prompts",
    f"POST {_WORK}/prompts",
    f"POST {_WORK}/prompts/ready",
    f"POST {_WORK}/prompts/preview",
    f"POST {_WORK}/prompts/accept",
    f"PUT {_WORK}/prompts/{{prompt}}",
    f"DELETE {_WORK}/prompts/{{prompt}}",
)
_REVIEW: tuple[str, ...] = (
    "GET /projects/{project}/review",
    "GET /projects/{project}/review/people",
    f"POST {_CASE}/edit",
    "GET /projects/{project}/suspects",
    f"POST {_CASE}/return",
    f"POST {_CASE}/adjudicate",
    "POST /projects/{project}/annotations/{annotation}/restore",
)
_TRAIN: tuple[str, ...] = (
    "POST /projects/{project}/jobs/{job}/cancel",
    "POST /projects/{project}/train",
    "POST /projects/{project}/map",
    "POST /projects/{project}/adapt",
    "POST /projects/{project}/pretraining",
    "POST /projects/{project}/pretraining/transfer",
    "POST /projects/{project}/matrix/fill",
    "POST /projects/{project}/models/auto",
    "POST /projects/{project}/models/back",
    "POST /projects/{project}/models/{index}/use",
    "POST /projects/{project}/models/{index}/release",
    "POST /projects/{project}/models/{index}/refuse",
)
_MANAGE: tuple[str, ...] = (
    "GET /people",
    "POST /people",
    "POST /people/{person}/role",
    "GET /projects/{project}/annotators",
    "GET /projects/{project}/outlook",
    "POST /projects/{project}/assign",
    "POST /projects/{project}/query",
    "GET /projects/{project}/gold",
    "POST /projects/{project}/gold/admit",
    f"POST {_CASE}/gold",
    f"POST {_CASE}/gold/withdraw",
    "GET /projects/{project}/annotators/learned-skills",
    "PATCH /projects/{project}/annotators",
    "GET /projects/{project}/effort",
    "GET /projects/{project}/effort/csv",
    "GET /projects/{project}/people",
    "PATCH /projects/{project}/people/{person}",
)
_ADMINISTER: tuple[str, ...] = ("POST /people/{person}/disable", "POST /people/{person}/enable", "POST /people/{person}/link")

PERMISSIONS: Mapping[str, Need] = {
    **dict.fromkeys(_OPEN, "open"),
    **dict.fromkeys(_SELF, "self"),
    **dict.fromkeys(_LOOK, "look"),
    **dict.fromkeys(_ANNOTATE, "annotate"),
    **dict.fromkeys(_REVIEW, "review"),
    **dict.fromkeys(_TRAIN, "train"),
    f"POST {_CASE}/approve": "sign",
    **dict.fromkeys(_MANAGE, "manage"),
    **dict.fromkeys(_ADMINISTER, "administer"),
    "GET /projects/{project}/archives": "add",
    "POST /projects/{project}/archives/find": "add",
    "POST /projects/{project}/archives/pull": "add",
    "POST /projects/{project}/archives/push": "export",
    "GET /projects/{project}/export": "export",
    "POST /projects/{project}/cases": "add",
    f"POST {_CASE}/references": "add",
    f"DELETE {_CASE}/references/{{reference}}": "add",
    "PATCH /projects/{project}/settings": "decide",
    "PATCH /projects/{project}/task": "decide",
    "POST /projects/{project}/retention/remove": "decide",
    "POST /projects/{project}/dispositions/renew": "decide",
    "POST /projects/{project}/dispositions/recall": "decide",
}
"""The table; addresses are those below /api/v1."""


@dataclass(frozen=True)
class Guarded:
    """One route: how its address is recognised, and what it needs."""

    method: str
    address: re.Pattern[str]
    need: Need


def guarded_routes(routers: Iterable[APIRouter], prefix: str) -> tuple[Guarded, ...]:
    """Every route of these routers with what it needs, in the order in which they are tried.

    Args:
        routers: As they are included.
        prefix: Before each of their addresses.

    Raises:
        LookupError: A route without a line in the table: nobody has said who may use it.
    """
    found = [(method, route.path) for router in routers for route in _routes(router) for method in sorted(route.methods or ())]
    lacking = [f"{method} {path}" for method, path in found if f"{method} {path}" not in PERMISSIONS]
    if lacking:
        raise LookupError(f"server/web/permissions.py does not say who may use {', '.join(lacking)}")
    return tuple(Guarded(method, compile_path(prefix + path)[0], PERMISSIONS[f"{method} {path}"]) for method, path in found)


def _routes(router: APIRouter) -> Iterable[APIRoute]:
    return (route for route in router.routes if isinstance(route, APIRoute))
