"""Random values that only their holder has; the store keeps their SHA-256.

A value of 256 random bits needs no slow hash: nobody can try them all.
"""

import hashlib
import hmac
import secrets

TOKEN_PREFIX = "medloop_"  # noqa: S105  # what every token begins with, so that one in a wrong place is recognised


def new_secret() -> str:
    """256 random bits, safe in a URL's fragment and in a header."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """What the store keeps of a secret: 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_token_of(session_secret: str) -> str:
    """What the page of a session sends with every change; another site cannot work it out."""
    return hmac.new(session_secret.encode("utf-8", "surrogatepass"), b"csrf", hashlib.sha256).hexdigest()
