"""What goes over REST about accounts: sign-in, roles, tokens, links. No view holds a secret but the three that hand one out."""

from typing import Annotated, Literal, TypeAlias

from fastapi import Path
from pydantic import Field

from medloop.core.accounts import ApiToken, LinkUse
from medloop.core.names import MAX_NAME
from medloop.core.records import Expertise
from medloop.core.roles import Role, Scope, Verb
from medloop.loop.foundation.annotators import MAX_CASES, MAX_HOURS, MAX_RATE
from medloop.loop.people.handing_out import MAX_TOKEN_DAYS
from medloop.loop.people.passwords import LONGEST
from medloop.loop.people.preferences import Preferences
from medloop.server.wire.schemas import Body, IdText
from medloop.server.wire.views import View

Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00]*$")]
Password: TypeAlias = Annotated[str, Field(max_length=LONGEST, pattern=r"^[^\x00]*$")]
Secret: TypeAlias = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]
Use: TypeAlias = Annotated[LinkUse, Path(description="What the link is for.")]


class SignInBody(Body):
    """Who signs in."""

    name: Name
    password: Password


class PasswordBody(Body):
    """One's own password: the present one and the next."""

    old: Password
    new: Password


class LinkSecret(Body):
    """A one-time link, as its address has it."""

    use: LinkUse
    secret: Secret


class LinkBody(Body):
    """A one-time link's secret (the fragment of its address); without a password it only says whose it is."""

    secret: Secret
    password: Password | None = None


class LeaveBody(Body):
    """To sign in with the provider; whoever comes back takes up the one-time link, if there is one."""

    link: LinkSecret | None = None


class ProviderReplyBody(Body):
    """What the provider sent a browser back with; without a code it has signed nobody in.

    Attributes:
        iss: Which provider says it is.
    """

    code: Annotated[str, Field(max_length=4000, pattern=r"^[\x20-\x7e]*$")] = ""
    state: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[0-9a-f]+$")]
    iss: Annotated[str, Field(max_length=2000)] | None = None


KeyName: TypeAlias = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[\x21-\x7e…]+$")]
ActionName: TypeAlias = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9-]+$")]


class PreferencesBody(Body):
    """What the page keeps for an account.

    Attributes:
        keys: Action → the keys that do it in place of the usual ones.
        introduced: Whether the introduction to the annotation view was seen or skipped.
    """

    keys: Annotated[dict[ActionName, Annotated[list[KeyName], Field(max_length=4)]], Field(max_length=200)]
    introduced: Annotated[bool, Field(strict=True)]

    def preferences(self) -> Preferences:
        """As the loop keeps them."""
        return Preferences({action: tuple(keys) for action, keys in self.keys.items()}, self.introduced)


class TokenBody(Body):
    """A token to make."""

    name: Name
    scope: Scope = "read"
    days: Annotated[int, Field(ge=1, le=MAX_TOKEN_DAYS, strict=True)] = 90


class InviteBody(Body):
    """Somebody to invite; `project_id` is null for all projects."""

    name: Name
    role: Role
    project_id: IdText | None = None


class RoleBody(Body):
    """A role to give, or null to take it away; `project_id` is null for all projects."""

    role: Role | None
    project_id: IdText | None = None


class AnnotatorBody(Body):
    """What a project keeps of somebody who annotates; what is left out stays, and a limit of 0 is none."""

    cost_per_minute: Annotated[float, Field(gt=0, le=MAX_RATE)] | None = None
    expertise: Expertise | None = None
    hours_per_week: Annotated[float, Field(ge=0, le=MAX_HOURS)] | None = None
    cases_per_week: Annotated[int, Field(ge=0, le=MAX_CASES, strict=True)] | None = None


class ProjectRights(View):
    """What one may do to a project, and which roles one may give and take there."""

    project_id: str
    name: str
    verbs: list[Verb]
    gives: list[Role]


class PreferencesView(View):
    """What the page keeps for an account; empty without one."""

    keys: dict[str, list[str]]
    introduced: bool


class MeView(View):
    """Who is signed in.

    Attributes:
        accounts: Whether there are accounts; without, one person uses this machine and may do everything.
        name: Under which one annotates.
        csrf: What changes carry as X-CSRF-Token; "" without accounts and for tokens.
        roles: By project id, "" for all projects.
        projects: What one may do to each project that one sees.
        verbs: What one may do wherever all projects are meant.
        gives: Roles for all projects that one may give and take.
        preferences: What the page keeps for the account.
    """

    accounts: bool
    name: str
    csrf: str
    roles: dict[str, Role]
    projects: list[ProjectRights]
    verbs: list[Verb]
    gives: list[Role]
    preferences: PreferencesView


class WaysView(View):
    """How one signs in here.

    Attributes:
        accounts: Whether anybody has to.
        passwords: Whether a name and a password will do.
        provider: What the provider of OpenID Connect is called; null without one.
    """

    accounts: bool
    passwords: bool
    provider: str | None


class LeaveView(View):
    """An address at the provider, to go to."""

    address: str


class SignedOutView(View):
    """Nobody is signed in any more.

    Attributes:
        address: Where to end the session at the provider, too; null where there is none.
    """

    signed_in: Literal[False] = False
    address: str | None = None


class LinkView(View):
    """Whose a one-time link is, and until when it may be used."""

    name: str
    use: LinkUse
    expires_at: str


class TokenView(View):
    """A token in use, without its secret."""

    id: str
    name: str
    scope: Scope
    created_at: str
    expires_at: str

    @classmethod
    def of(cls, token: ApiToken) -> "TokenView":
        """From its record."""
        return cls.reading(token)


class NewTokenView(View):
    """A token at the only moment it is shown."""

    id: str
    token: str
    expires_at: str


class PersonView(View):
    """An account.

    Attributes:
        invited: Whether nobody can sign in to it yet.
        roles: By project id, "" for all projects; of those that the caller manages.
        last_seen: When it was last signed in; "" for never.
    """

    id: str
    name: str
    disabled: bool
    invited: bool
    roles: dict[str, Role]
    last_seen: str


class ProjectPersonView(PersonView):
    """An account with a role in a project, and what the project keeps of it; null until it annotates there.

    Attributes:
        verbs: What it may do there.
    """

    verbs: list[Verb]
    cost_per_minute: float | None
    expertise: Expertise | None
    hours_per_week: float | None
    cases_per_week: int | None


class HandedLinkView(View):
    """A one-time link at the only moment it is shown: an address of the page with the secret in its fragment."""

    person_id: str
    use: LinkUse
    path: str
    expires_at: str
