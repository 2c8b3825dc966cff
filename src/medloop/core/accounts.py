"""Accounts as frozen values: who may sign in, with which role, and what was handed out to them.

No secret is kept: of a password its argon2id hash, of everything else (sign-ins, tokens, links) the SHA-256 of a random
value that only its holder has.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from medloop.core.roles import Role, Scope

LinkUse: TypeAlias = Literal["invitation", "reset"]

EVERY_PROJECT = ""
"""The `project_id` of a role that is held for all projects that a server serves."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """Somebody who may sign in; annotates under the same name.

    Attributes:
        name: Unicode NFC, unique.
        key: The name without upper and lower case; two accounts never read the same.
        password: argon2id hash; "" until a password is set.
        disabled: Whether sign-in, sessions and tokens are refused.
    """

    id: str
    name: str
    key: str
    password: str = field(default="", repr=False)
    disabled: bool = False
    created_at: str


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
