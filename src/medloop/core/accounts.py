"""Accounts as frozen values: who may sign in, with which role, and what was handed out to them.

No secret is kept: of a password its argon2id hash, of everything else (sign-ins, tokens, links) the SHA-256 of a random
value that only its holder has.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from medloop.core.errors import InputError
from medloop.core.roles import Role, Scope

LinkUse: TypeAlias = Literal["invitation", "reset"]

EVERY_PROJECT = ""
"""The `project_id` of a role that is held for all projects that a server serves."""


MAX_SUBJECT = 255
"""Longest subject, in ASCII characters (OpenID Connect Core 1.0, section 2)."""


@dataclass(frozen=True)
class Identity:
    """Somebody as a provider of OpenID Connect knows them.

    Attributes:
        issuer: The provider's address as its tokens name it.
        subject: What it calls them, for ever; ASCII.
        names: What it says they are called, best first; proposals for a new account and never a proof.

    Raises:
        InputError: A subject that cannot be.
    """

    issuer: str
    subject: str
    names: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not (self.subject.isascii() and self.subject.isprintable() and 1 <= len(self.subject) <= MAX_SUBJECT):
            raise InputError(f"A subject has 1 to {MAX_SUBJECT} ASCII characters, got {self.subject[:80]!r}")


@dataclass(frozen=True, kw_only=True)
class Account:
    """Somebody who may sign in; annotates under the same name.

    Attributes:
        name: Unicode NFC, unique.
        key: The name without upper and lower case; two accounts never read the same.
        password: argon2id hash; "" until a password is set.
        disabled: Whether sign-in, sessions and tokens are refused.
        issuer, subject: Who they are at a provider of OpenID Connect; "" when they sign in with a password only.
        preferences: What the page keeps for them, as JSON (`medloop.loop.people.preferences`); "" until it keeps anything.
    """

    id: str
    name: str
    key: str
    password: str = field(default="", repr=False)
    disabled: bool = False
    issuer: str = ""
    subject: str = ""
    preferences: str = ""
    created_at: str

    @property
    def has_joined(self) -> bool:
        """Whether there is a way to sign in to it: a password, or a provider."""
        return bool(self.password or self.subject)


@dataclass(frozen=True, kw_only=True)
class Membership:
    """A role of an account.

    Attributes:
        project_id: For this project; `EVERY_PROJECT` for all of them.
        role: None once it was taken away.
    """

    id: str
    account_id: str
    project_id: str
    role: Role | None
    created_at: str


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """A session of a browser.

    Attributes:
        digest: SHA-256 of what its cookie holds.
        ended_at: When it was signed out or revoked; None while it may be used.
    """

    id: str
    account_id: str
    digest: str
    ended_at: str | None = None
    created_at: str


@dataclass(frozen=True, kw_only=True)
class ApiToken:
    """What a program signs in with.

    Attributes:
        name: What its owner calls it.
        digest: SHA-256 of the token.
        scope: Which of its owner's rights it has.
        expires_at, revoked_at: From then on it is refused.
    """

    id: str
    account_id: str
    name: str
    digest: str
    scope: Scope
    expires_at: str
    revoked_at: str | None = None
    created_at: str


@dataclass(frozen=True, kw_only=True)
class OneTimeLink:
    """A link by which somebody sets a password, once.

    Attributes:
        use: "invitation" for a first password, "reset" for another one.
        digest: SHA-256 of its secret.
        used_at: When it was used, or replaced by a newer one.
    """

    id: str
    account_id: str
    use: LinkUse
    digest: str
    expires_at: str
    used_at: str | None = None
    created_at: str
