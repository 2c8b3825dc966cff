"""Passwords: argon2id, and the same work whether or not somebody of that name exists.

Source: RFC 9106, section 4 (second recommended option: 3 passes over 64 MiB with 4 lanes); NIST SP 800-63B, section 5.1.1
(at least 8 characters, long ones allowed, no rules about kinds of characters).
"""

from functools import cache
from typing import TYPE_CHECKING

from medloop.core.errors import SettingError
from medloop.core.names import composed, folded

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 10, 1000


def hash_password(password: str, *, name: str) -> str:
    """The argon2id hash of a new password, with its salt and parameters; some 64 MiB and a quarter of a second.

    Args:
        password: As typed.
        name: Whose it is; a password that holds it is refused.

    Raises:
        SettingError: Too short, too long, or made of the name.
    """
    return _hasher().hash(composed(checked_password(password, name=name)))


def checked_password(password: str, *, name: str) -> str:
    """The password, if it may be one.

    Raises:
        SettingError: Too short, too long, or made of the name; the message never holds it.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise SettingError(
            f"A password has {SHORTEST} to {LONGEST} characters, got {len(password)}", remedy="a few random words are easy to keep"
        )
    if folded(name) in folded(password) and len(password) - len(name) < SHORTEST:
        raise SettingError("A password must not be made of the name", remedy="choose another one")
    if len(set(password)) < 4:
        raise SettingError("A password must not repeat three characters or fewer", remedy="choose another one")
    return password


def fits(password: str, kept: str) -> bool:
    """Whether a password is the one that was hashed; without a hash the work is the same and the result no.

    Args:
        password: As typed.
        kept: The account's hash; "" when there is no account or it has no password yet.
    """
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        found = _hasher().verify(kept or _nobodys(), composed(password[:LONGEST]))
    except (VerificationError, InvalidHashError, UnicodeError):
        return False
    return found and bool(kept)


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher
    from argon2.profiles import RFC_9106_LOW_MEMORY

    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


@cache
def _nobodys() -> str:
    """A hash that no password fits, made with the parameters of all."""
    from medloop.loop.people.secret_values import new_secret

    return _hasher().hash(new_secret())
