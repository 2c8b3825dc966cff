"""The people of a server: invite them, give roles, lock out, and say what their time costs."""

from fastapi import APIRouter

from medloop.core.accounts import EVERY_PROJECT, Account, LinkUse
from medloop.core.errors import NotFoundError
from medloop.core.names import folded
from medloop.core.records import Annotator
from medloop.core.roles import Role
from medloop.loop.foundation.annotators import annotator_named, describe_annotator, set_cost
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.people.accounts import (
    Boss,
    Roles,
    add_account,
    give_role,
    require_administrator,
    rights_in,
    roles_of,
    set_disabled,
)
from medloop.loop.people.handing_out import HandedOut, make_link
from medloop.loop.people.leaving import release_everywhere, release_work
from medloop.loop.people.signing_in import last_seen
from medloop.server.routes.me import in_order
from medloop.server.web.callers import BossHere, unknown_project
from medloop.server.web.site import Site, SiteHere, WorkspaceHere
from medloop.server.wire.people_views import AnnotatorBody, HandedLinkView, InviteBody, PersonView, ProjectPersonView, RoleBody
from medloop.server.wire.schemas import Id, Nothing
from medloop.store.reader import Reader

router = APIRouter(tags=["people"])


@router.get("/people")
def list_people(site: SiteHere, boss: BossHere) -> list[PersonView]:
    """Every account, with its roles in the projects that one manages."""
    with site.people.store().read() as tx:
        return [_person(tx, account, boss) for account in tx.find(Account, order="key")]


@router.post("/people")
def post_person(site: SiteHere, boss: BossHere, body: InviteBody) -> HandedLinkView:
    """Invite somebody: makes the account, and shows its one-time link this once."""
    store, project = site.people.store(), _project(site, boss, body.project_id)
    account = add_account(store, body.name, role=body.role, project_id=project, by=boss)
    return _handed("invitation", account.id, make_link(store, account.id, "invitation", by=boss))


@router.post("/people/{person}/role")
def post_role(site: SiteHere, boss: BossHere, person: Id, body: RoleBody) -> PersonView:
    """Give somebody another role or take it away, within one's own rights; their sessions end, and cases that they lose are released."""
    store, project = site.people.store(), _project(site, boss, body.project_id)
    give_role(store, person, body.role, project_id=project, by=boss)
    with store.read() as tx:
        account, roles = tx.get(Account, person), roles_of(tx, person)
    for workspace in site.projects.all():
        if "annotate" not in rights_in(roles, workspace.project.id) and not workspace.store.read_only:
            release_work(workspace, account.name, actor=boss.name)
    return _one(site, person, boss)


@router.post("/people/{person}/disable")
def post_disable(site: SiteHere, boss: BossHere, person: Id, _body: Nothing) -> PersonView:
    """Lock somebody out at once: sessions and tokens end, drafts stay, what they have open is offered to others."""
    account = set_disabled(site.people.store(), person, True, by=boss)
    release_everywhere(site.projects.all(), account.name, actor=boss.name)
    return _one(site, person, boss)


@router.post("/people/{person}/enable")
def post_enable(site: SiteHere, boss: BossHere, person: Id, _body: Nothing) -> PersonView:
    """Let somebody in again."""
    set_disabled(site.people.store(), person, False, by=boss)
    return _one(site, person, boss)


@router.post("/people/{person}/link")
def post_new_link(site: SiteHere, boss: BossHere, person: Id, _body: Nothing) -> HandedLinkView:
    """A new one-time link for setting the password, shown this once; earlier ones end, the old password works until it is used."""
    require_administrator(boss)
    store = site.people.store()
    with store.read() as tx:
        use: LinkUse = "reset" if tx.get(Account, person).has_joined else "invitation"
    return _handed(use, person, make_link(store, person, use, by=boss))


@router.get("/projects/{project}/people")
def list_project_people(site: SiteHere, workspace: WorkspaceHere, boss: BossHere) -> list[ProjectPersonView]:
    """Everybody with a role in a project, with cost and expertise."""
    with workspace.store.read() as tx:
        known = {folded(one.name): one for one in tx.find(Annotator)}
    with site.people.store().read() as tx:
        accounts = [one for one in tx.find(Account, order="key") if rights_in(roles_of(tx, one.id), workspace.project.id)]
        return [_in_project(tx, account, boss, workspace, known.get(account.key)) for account in accounts]


@router.patch("/projects/{project}/people/{person}")
def patch_project_person(site: SiteHere, workspace: WorkspaceHere, boss: BossHere, person: Id, body: AnnotatorBody) -> ProjectPersonView:
    """Set what a minute of somebody costs in a project, how experienced they are, and how much routing may give them per week."""
    with site.people.store().read() as tx:
        account, roles = tx.get(Account, person), roles_of(tx, person)
    if not rights_in(roles, workspace.project.id):
        raise NotFoundError(f"There is no account {person!r} in this project", remedy="give it a role first")
    annotator, manager = annotator_named(workspace, account.name), annotator_named(workspace, boss.name)
    if body.cost_per_minute is not None:
        annotator = set_cost(workspace, account.name, body.cost_per_minute, actor=manager.id)
    if terms := body.model_dump(exclude={"cost_per_minute"}, exclude_none=True):
        annotator = describe_annotator(workspace, account.name, **terms, actor=manager.id)
    with site.people.store().read() as tx:
        return _in_project(tx, account, boss, workspace, annotator)


def _project(site: Site, boss: Boss, project_id: str | None) -> str:
    """The project that a role is for.

    Raises:
        NotFoundError: There is none of that id, or none that they see.
    """
    if project_id is None:
        return EVERY_PROJECT
    if not boss.rights(project_id):
        raise unknown_project(project_id)
    return site.projects.get(project_id).project.id


def _one(site: Site, account_id: str, boss: Boss) -> PersonView:
    with site.people.store().read() as tx:
        return _person(tx, tx.get(Account, account_id), boss)


def _person(tx: Reader, account: Account, boss: Boss) -> PersonView:
    return PersonView.reading(
        account, invited=not account.has_joined, roles=_shown(roles_of(tx, account.id), boss), last_seen=last_seen(tx, account.id)
    )


def _in_project(tx: Reader, account: Account, boss: Boss, workspace: Workspace, annotator: Annotator | None) -> ProjectPersonView:
    verbs = in_order(rights_in(roles_of(tx, account.id), workspace.project.id))
    return ProjectPersonView(
        **_person(tx, account, boss).model_dump(),
        verbs=verbs,
        cost_per_minute=annotator.cost_per_minute if annotator else None,
        expertise=annotator.expertise if annotator else None,
        hours_per_week=annotator.hours_per_week if annotator else None,
        cases_per_week=annotator.cases_per_week if annotator else None,
    )


def _shown(roles: Roles, boss: Boss) -> dict[str, Role]:
    """Roles for all projects, and those in projects that one manages."""
    return {project: role for project, role in roles.items() if project == EVERY_PROJECT or "manage" in boss.rights(project)}


def _handed(use: LinkUse, person_id: str, made: HandedOut) -> HandedLinkView:
    return HandedLinkView(person_id=person_id, use=use, path=f"/links/{use}#{made.secret}", expires_at=made.expires_at)
