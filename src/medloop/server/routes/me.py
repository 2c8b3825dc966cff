"""Oneself: signing in and out, the own password, tokens, and one-time links."""

from functools import partial

import anyio.to_thread
from fastapi import APIRouter, Response
from starlette.requests import Request

from medloop.core.accounts import EVERY_PROJECT
from medloop.core.errors import ForbiddenError, SignInError
from medloop.core.roles import VERBS, Verb, roles_within
from medloop.loop.people.handing_out import link_of, make_token, revoke_token, set_password, tokens_of, use_link
from medloop.loop.people.passwords import fits, hash_password
from medloop.loop.people.preferences import Preferences, keep_preferences, preferences_of
from medloop.loop.people.secret_values import digest_of
from medloop.loop.people.signing_in import begin_session, sign_in, sign_out
from medloop.server.web.callers import BossHere, Caller, CallerHere, SignedIn
from medloop.server.web.people import People
from medloop.server.web.site import Site, SiteHere
from medloop.server.wire.people_views import (
    LeaveBody,
    LeaveView,
    LinkBody,
    LinkView,
    MeView,
    NewTokenView,
    PasswordBody,
    PreferencesBody,
    PreferencesView,
    ProjectRights,
    ProviderReplyBody,
    SignedOutView,
    SignInBody,
    TokenBody,
    TokenView,
    Use,
    WaysView,
)
from medloop.server.wire.schemas import Id, Nothing
from medloop.store.store import Store

router = APIRouter(tags=["me"])


@router.get("/me")
def get_me(site: SiteHere, caller: CallerHere) -> MeView:
    """Who is signed in, the CSRF token of the session, and what they may do to each project; a 401 means that nobody is signed in."""
    return _me(site, caller)


@router.get("/sign-in")
def get_sign_in(site: SiteHere) -> WaysView:
    """How one signs in here."""
    return WaysView(accounts=site.people.are_on(), passwords=site.settings.password_sign_in, provider=site.elsewhere.name)


@router.post("/oidc/leave")
async def post_leave(site: SiteHere, request: Request, answer: Response, body: LeaveBody) -> LeaveView:
    """Begin to sign in with the OpenID Connect provider: sets a cookie that the way back needs, and gives the address to go to."""
    _require_on(site.people)
    link = (body.link.use, body.link.secret) if body.link else None
    return LeaveView(address=await site.elsewhere.begin(request, answer, link))


@router.post("/oidc/return")
async def post_return(site: SiteHere, request: Request, answer: Response, body: ProviderReplyBody) -> MeView:
    """Begin a session with what the provider sent back, in the browser that left."""
    _require_on(site.people)
    secret = await site.elsewhere.finish(request, answer, code=body.code, state=body.state, issuer=body.iss)
    return await _begun(site, request, answer, secret)


@router.post("/sign-in")
async def post_sign_in(site: SiteHere, request: Request, answer: Response, body: SignInBody) -> MeView:
    """Begin a session: sets its cookie. Too many failures of a name or an address are 429 with Retry-After."""
    people = site.people
    _require_on(people)
    _require_passwords(site)
    work = partial(sign_in, people.store(), body.name, body.password)
    secret = await people.tried(body.name, people.address_of(request), work)
    return await _begun(site, request, answer, secret)


@router.post("/sign-out")
async def post_sign_out(site: SiteHere, person: SignedIn, request: Request, answer: Response, _body: Nothing) -> SignedOutView:
    """End the session; its cookie opens nothing any more."""
    if person.sign_in_id is not None:
        await anyio.to_thread.run_sync(sign_out, site.people.store(), person.sign_in_id, person.account.name)
    site.people.forget(answer)
    return SignedOutView(address=await site.elsewhere.sign_out_address(request, person.account))


@router.post("/me/password")
async def post_password(site: SiteHere, person: SignedIn, request: Request, answer: Response, body: PasswordBody) -> MeView:
    """Change one's own password; every session ends, and this browser gets a new one."""
    people, store = site.people, site.people.store()
    _require_passwords(site)

    def change() -> str:
        if not fits(body.old, person.account.password):
            raise ForbiddenError("The present password is wrong", remedy="try again, or let an administrator reset it")
        hashed = hash_password(body.new, name=person.account.name)
        return begin_session(store, set_password(store, person.account.id, hashed))

    secret = await people.tried(person.account.name, people.address_of(request), change)
    return await _begun(site, request, answer, secret)


@router.post("/links/{use}")
async def post_link(site: SiteHere, request: Request, answer: Response, use: Use, body: LinkBody) -> LinkView | MeView:
    """See whose a one-time link is, or set the password with it, which signs in; a link works once."""
    people = site.people
    _require_on(people)
    store, address = people.store(), people.address_of(request)
    key = f"link {digest_of(body.secret)}"
    found = await people.tried(key, address, partial(_link, store, body, use))
    if body.password is None:
        return found
    _require_passwords(site)
    password = body.password

    def change() -> str:
        return begin_session(store, use_link(store, body.secret, use, hash_password(password, name=found.name)))

    return await _begun(site, request, answer, await people.tried(key, address, change))


@router.put("/me/preferences")
def put_preferences(site: SiteHere, person: SignedIn, body: PreferencesBody) -> PreferencesView:
    """Keep what the page remembers for the account: keys of its own, and whether the introduction was seen."""
    keep_preferences(site.people.store(), person.account, body.preferences())
    return PreferencesView(keys=body.keys, introduced=body.introduced)


@router.get("/me/tokens")
def list_tokens(site: SiteHere, person: SignedIn) -> list[TokenView]:
    """One's own tokens in use, without their secrets."""
    with site.people.store().read() as tx:
        return [TokenView.of(token) for token in tokens_of(tx, person.account.id)]


@router.post("/me/tokens")
def post_token(site: SiteHere, boss: BossHere, person: SignedIn, body: TokenBody) -> NewTokenView:
    """Make a token for a program; it is shown this once."""
    made = make_token(site.people.store(), person.account.id, body.name, scope=body.scope, days=body.days, by=boss)
    return NewTokenView(id=made.id, token=made.secret, expires_at=made.expires_at)


@router.post("/me/tokens/{token}/revoke")
def post_revoke(site: SiteHere, boss: BossHere, person: SignedIn, token: Id, _body: Nothing) -> list[TokenView]:
    """Revoke one of one's own tokens; the others are left."""
    store = site.people.store()
    revoke_token(store, person.account.id, token, by=boss)
    with store.read() as tx:
        return [TokenView.of(left) for left in tokens_of(tx, person.account.id)]


def _require_on(people: People) -> None:
    if not people.are_on():
        raise SignInError("There are no accounts here: nobody needs to sign in", remedy="open the page")


def _require_passwords(site: Site) -> None:
    if not site.settings.password_sign_in:
        raise ForbiddenError("Passwords are switched off here", remedy=f"sign in with {site.elsewhere.name}")


def _link(store: Store, body: LinkBody, use: Use) -> LinkView:
    with store.read() as tx:
        link, account = link_of(tx, body.secret, use)
    return LinkView(name=account.name, use=link.use, expires_at=link.expires_at)


async def _begun(site: Site, request: Request, answer: Response, secret: str) -> MeView:
    """Give the browser its new session, end the one that it came with, and say who is signed in."""
    site.people.remember(answer, secret)
    return await anyio.to_thread.run_sync(_renewed, site, request, secret)


def _renewed(site: Site, request: Request, secret: str) -> MeView:
    people: People = site.people
    before = people.caller(request.headers)
    if before is not None and before.person is not None and before.person.sign_in_id is not None:
        sign_out(people.store(), before.person.sign_in_id, before.name)
    return _me(site, people.caller_of_session(secret))


def _me(site: Site, caller: Caller) -> MeView:
    person = caller.person
    seen = [(one, caller.rights_in(one.project.id)) for one in site.projects.all() if caller.sees(one.project.id)]
    return MeView(
        accounts=person is not None,
        name=caller.name,
        csrf=person.csrf if person else "",
        roles=dict(person.roles) if person else {},
        projects=[
            ProjectRights(project_id=one.project.id, name=one.project.name, verbs=in_order(rights), gives=roles_within(rights))
            for one, rights in seen
        ],
        verbs=in_order(caller.rights_in(EVERY_PROJECT)),
        gives=roles_within(caller.rights_in(EVERY_PROJECT)),
        preferences=PreferencesView.model_validate(preferences_of(person.account) if person else Preferences()),
    )


def in_order(rights: frozenset[Verb]) -> list[Verb]:
    """Verbs in the order of the table."""
    return [verb for verb in VERBS if verb in rights]
