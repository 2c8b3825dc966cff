"""A provider of OpenID Connect: where people are sent to sign in, and who it says came back.

Authorization code flow with PKCE. Everything that comes from the provider is bounded in bytes and seconds, follows no redirect,
and is believed only when the identity token has the right signature, issuer, audience, nonce and time. Keys are read anew at
each sign-in, so that a provider may change them at any time. Nothing it sent is kept but issuer and subject; of its own
addresses for a few minutes.

Source: OpenID Connect Core 1.0, section 3.1; Discovery 1.0; RP-Initiated Logout 1.0; RFC 7636 (PKCE); RFC 9207 (`iss`).
"""

import hmac
import json
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlencode, urlsplit

from medloop.core.accounts import Identity, LinkUse
from medloop.core.errors import InputError, SettingError, SignInError, UnavailableError
from medloop.server.web.settings import require_trusted

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures by a key that the provider alone has: neither `none` nor an HMAC, whose key others know."""

KEY_KINDS = ("RSA", "EC", "OKP")
LEEWAY_SECONDS = 60
"""By how much the provider's clock may differ."""

MOST_SECONDS = 10.0
"""For one request to the provider, from its first byte to the last one of the reply."""

MOST_BYTES = 1_000_000
FRESH_SECONDS = 300.0
"""How long the provider's addresses are kept."""

_AGAIN = "sign in again; if it stays so, whoever runs this server looks into its log"
_ERROR_WORD = re.compile(r"[a-z_]{1,40}")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Flow:
    """One sign-in of one browser, from its beginning to the provider's reply.

    Its cookie holds the secret, and all the rest is worked out from that: no other browser can end it, and the server keeps
    nothing that a flood could push out.

    Attributes:
        secret: Random.
        link: The one-time link (its use and secret) that whoever comes back takes up; None without.
    """

    secret: str
    link: tuple[LinkUse, str] | None = None

    def derive(self, what: str) -> str:
        """A value of this flow that gives nothing else of it away: its state, its nonce or PKCE's verifier."""
        return hmac.new(self.secret.encode(), what.encode(), sha256).hexdigest()


class Provider:
    """A provider, as the server is configured for it.

    Args:
        issuer: Its address as its tokens name it.
        client_id: What it calls this server.
        secret: What it gave this server; "" for a public client.

    Raises:
        SettingError: Authlib is not installed.
    """

    def __init__(self, issuer: str, client_id: str, secret: str) -> None:
        if find_spec("authlib") is None:
            raise SettingError("OpenID Connect needs Authlib, which is not installed", remedy="pip install 'medloop[oidc]'")
        self.issuer = issuer
        self._client_id = client_id
        self._secret = secret
        self._announced: tuple[float, Mapping[str, Any]] | None = None

    @property
    def host(self) -> str:
        """Its name, for people."""
        return urlsplit(self.issuer).hostname or self.issuer

    def sign_in_address(self, flow: Flow, back: str) -> str:
        """Where a browser goes to sign in; the provider sends it back to `back`.

        Raises:
            UnavailableError: The provider cannot be reached, or what it announces cannot be used.
        """
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        challenge = create_s256_code_challenge(flow.derive("verifier"))
        wanted = {"nonce": flow.derive("nonce"), "code_challenge": challenge, "code_challenge_method": "S256"}
        address = self._address("authorization_endpoint")
        return str(
            prepare_grant_uri(
                address, self._client_id, "code", redirect_uri=back, scope="openid profile", state=flow.derive("state"), **wanted
            )
        )

    def sign_out_address(self, back: str) -> str | None:
        """Where a browser goes to end its session at the provider, too; None where that is not announced or not reached.

        The identity token stays out of the address, so that the provider may have the person confirm it.
        """
        try:
            address = self._address("end_session_endpoint") if "end_session_endpoint" in self._configuration() else ""
        except UnavailableError:
            return None
        query = urlencode({"client_id": self._client_id, "post_logout_redirect_uri": back})
        return f"{address}{'&' if urlsplit(address).query else '?'}{query}" if address else None

    def identity(self, flow: Flow, back: str, code: str, issuer: str | None) -> Identity:
        """Who came back with a code.

        Args:
            flow: Of the browser that came back.
            back: As it was for `sign_in_address`.
            code: From the provider.
            issuer: Whom the reply says it is from; None when it does not.

        Raises:
            SignInError: The reply is another provider's, the code is refused, or the identity token is not to be believed.
            UnavailableError: The provider cannot be reached, or does not do its part.
        """
        says_so = self._configuration().get("authorization_response_iss_parameter_supported") is True
        if issuer != self.issuer and (issuer is not None or says_so):
            raise SignInError("The reply is from another provider", remedy=_AGAIN)
        tokens = self._redeemed(code, flow.derive("verifier"), back)
        claims = self._verified(tokens, flow.derive("nonce"))
        names = (claims.get(name) for name in ("name", "preferred_username"))
        try:
            return Identity(self.issuer, _text(claims.get("sub")), tuple(name for name in names if isinstance(name, str)))
        except InputError as error:
            raise _not_believed("sub") from error

    def _redeemed(self, code: str, verifier: str, back: str) -> Mapping[str, Any]:
        """The tokens for a code."""
        from authlib.oauth2.auth import ClientAuth
        from authlib.oauth2.rfc6749.parameters import prepare_token_request

        address = self._address("token_endpoint")
        body = prepare_token_request("authorization_code", redirect_uri=back, code=code, code_verifier=verifier)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        address, headers, body = ClientAuth(self._client_id, self._secret, self._method()).prepare("POST", address, headers, body)
        status, found = self._fetched("POST", address, headers=headers, content=body)
        if status != 200 or "id_token" not in found:
            word = _text(found.get("error"))
            word = word if _ERROR_WORD.fullmatch(word) else f"status {status}"
            _LOG.warning("%s does not give tokens: %s", self.issuer, word)
            raise SignInError(f"The provider does not accept this sign-in ({word})", remedy=_AGAIN)
        return found

    def _method(self) -> str:
        if not self._secret:
            return "none"
        known = self._configuration().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return "client_secret_basic" if "client_secret_basic" in known else "client_secret_post"

    def _verified(self, tokens: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of an identity token, once all that must hold does."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError

        expected = {"iss": {"essential": True, "value": self.issuer}, "aud": {"essential": True, "value": self._client_id}}
        params = {"nonce": nonce, "client_id": self._client_id, "access_token": tokens.get("access_token")}
        keys = self._keys()
        try:
            token = jwt.decode(_text(tokens["id_token"]), keys, algorithms=ALGORITHMS)
            claims = CodeIDToken(token.claims, token.header, options=expected, params=params)
            claims.validate(now=int(time.time()), leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            _LOG.warning("An identity token of %s is not believed: %s", self.issuer, error)
            raise _not_believed(getattr(error, "claim", "") or getattr(error, "error", "") or "unreadable") from error
        return dict(claims)

    def _keys(self) -> Any:
        """The provider's keys of kinds that are understood; others in its list do not matter."""
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet, import_key

        _status, found = self._fetched("GET", self._address("jwks_uri"))
        keys = []
        for one in found.get("keys") or ():
            try:
                if isinstance(one, dict) and one.get("kty") in KEY_KINDS and one.get("use", "sig") == "sig":
                    keys.append(import_key(one))
            except (JoseError, ValueError, TypeError, KeyError):
                continue
        if not keys:
            raise UnavailableError(f"The provider {self.host} shows no key that can be used", remedy=_AGAIN)
        return KeySet(keys)

    def _address(self, name: str) -> str:
        """An address that the provider announces; over https when its own is."""
        address = _text(self._configuration().get(name))
        try:
            require_trusted(address, name, loopback=self.issuer.startswith("http://"))
        except SettingError as error:
            self._announced = None  # what it announces next may be better
            raise UnavailableError(f"The provider {self.host} announces no {name} that can be used", remedy=_AGAIN) from error
        return address

    def _configuration(self) -> Mapping[str, Any]:
        """What the provider announces about itself."""
        if self._announced is None or time.monotonic() - self._announced[0] > FRESH_SECONDS:
            _status, found = self._fetched("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self.issuer:
                _LOG.warning("%s calls itself %r", self.issuer, found.get("issuer"))
                raise UnavailableError(f"The provider {self.host} calls itself otherwise", remedy="set oidc_issuer to what it announces")
            self._announced = (time.monotonic(), found)
        return self._announced[1]

    def _fetched(self, method: str, address: str, **sent: Any) -> tuple[int, Mapping[str, Any]]:
        """Status and JSON object of a reply."""
        import httpx  # where there is no provider a server starts without it

        until = time.monotonic() + MOST_SECONDS
        body = bytearray()
        try:
            with httpx.Client(timeout=MOST_SECONDS / 2) as client, client.stream(method, address, **sent) as reply:
                for chunk in reply.iter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES or time.monotonic() > until:
                        raise httpx.ReadTimeout("too much, or too slow")
            found = json.loads(body)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
            _LOG.warning("%s cannot be used: %s", urlsplit(address).netloc, type(error).__name__)
            raise UnavailableError(f"The provider {self.host} cannot be reached", remedy="try again in a moment") from error
        return reply.status_code, found if isinstance(found, dict) else {}


def _not_believed(why: str) -> SignInError:
    return SignInError(f"The provider's identity token is not valid ({why})", remedy=_AGAIN)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
