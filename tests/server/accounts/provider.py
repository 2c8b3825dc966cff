"""A provider of OpenID Connect as a process of its own on loopback, which can be told to misbehave.

It checks what a provider must check: client, secret, redirect address, PKCE, and that a code is used once. Run with
`python -m tests.server.accounts.provider`; prints its address. `POST /behave` changes what it does, `GET /seen` tells what came.
"""

import base64
import hashlib
import hmac
import html
import json
import secrets
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

CLIENT, SECRET = "medloop-here", "the secret that the provider gave"
FORM = '<!doctype html><title>Provider</title><form method="post"><input name="user" autofocus><button id="go">Sign in</button></form>'


class State:
    """What the provider knows and how it behaves."""

    def __init__(self) -> None:
        self.issuer = ""
        self.keys = [RSAKey.generate_key(2048, {"kid": "first", "use": "sig"}, private=True)]
        self.codes: dict[str, dict[str, str]] = {}
        self.seen: list[dict[str, Any]] = []
        self.behaviour: dict[str, Any] = {}
        self.go_on = threading.Event()

    def behave(self, how: dict[str, Any]) -> None:
        """Take on a behaviour in place of the one before; {} is a good provider's."""
        self.go_on.set()
        self.go_on = threading.Event()
        self.behaviour = how
        if how.get("new key") or not self.keys[0].kid:
            self.keys = [RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"}, private=True)]
        if how.get("no kid"):
            self.keys = [RSAKey.generate_key(2048, {"use": "sig"}, private=True)]

    def configuration(self) -> dict[str, Any]:
        """The discovery document."""
        usual = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/logout",
            "authorization_response_iss_parameter_supported": True,
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": [self.behaviour.get("client auth", "client_secret_basic")],
        }
        return {**usual, **self.behaviour.get("configuration", {})}

    def identity_token(self, asked: dict[str, str]) -> str:
        """The signed token of whoever has signed in."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": f"sub-{asked['user']}", "name": asked["user"], "nonce": asked["nonce"]}
        claims |= {"iat": now, "exp": now + 60, **self.behaviour.get("claims", {})}
        claims = {name: now + value["now"] if isinstance(value, dict) else value for name, value in claims.items() if value is not None}
        how, key = self.behaviour.get("sign"), self.keys[0]
        if how == "none":
            return ".".join((*(_base64(json.dumps(part).encode()) for part in ({"alg": "none"}, claims)), ""))
        if how == "public key as secret":
            text = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": key.kid}, claims))
            return f"{text}.{_base64(hmac.digest(key.as_pem(private=False), text.encode(), 'sha256'))}"
        if how == "client secret":
            return jwt.encode({"alg": "HS256", "kid": key.kid}, claims, OctKey.import_key(SECRET), algorithms=["HS256"])
        if how == "key in its head":
            brought = ECKey.generate_key("P-256", private=True)
            return jwt.encode({"alg": "ES256", "kid": "brought", "jwk": brought.as_dict(private=False)}, claims, brought)
        other = RSAKey.generate_key(2048, {"kid": key.kid}, private=True) if how == "another key" else key
        token = jwt.encode({"alg": "RS256", **({"kid": key.kid} if key.kid else {})}, claims, other)
        return token[:-8] + "AAAAAAAA" if how == "damaged" else token


STATE = State()


class Handler(BaseHTTPRequestHandler):
    """The provider's addresses."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Discovery, keys, the form, signing out, and what has been seen."""
        path, query = self._came()
        if path == "/.well-known/openid-configuration":
            self._reply_as("configuration reply", STATE.configuration())
        elif path == "/jwks":
            self._reply_as("keys reply", STATE.behaviour.get("keys") or {"keys": [key.as_dict(private=False) for key in STATE.keys]})
        elif path == "/seen":
            self._json(STATE.seen)
        elif path == "/logout":
            self._html(f'<a id="back" href="{html.escape(query["post_logout_redirect_uri"])}">Signed out</a>')
        elif path == "/authorize":
            self._html(FORM)
        else:
            self._json({"error": "not_found"}, 404)

    def do_POST(self) -> None:
        """The form as sent, codes against tokens, and how to behave."""
        path, query = self._came()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if path == "/behave":
            STATE.behave(json.loads(body))
            self._json({})
        elif path == "/authorize":
            self._signed_in(query, dict(parse_qsl(body)))
        else:
            self._redeem(dict(parse_qsl(body)))

    def _signed_in(self, query: dict[str, str], form: dict[str, str]) -> None:
        good = query["client_id"] == CLIENT and query["response_type"] == "code" and query["code_challenge_method"] == "S256"
        if not good:
            self._json({"error": "invalid_request"}, 400)
            return
        code = secrets.token_urlsafe(12)
        STATE.codes[code] = {**query, **form}
        back = {"code": code, "state": query["state"], "iss": STATE.issuer}
        if form["user"] == "nobody":
            back = {"error": "access_denied", "state": query["state"], "iss": STATE.issuer}
        self.send_response(302)
        self.send_header("Location", f"{query['redirect_uri']}?{urlencode({**back, **STATE.behaviour.get('back', {})})}")
        self.end_headers()

    def _redeem(self, form: dict[str, str]) -> None:
        asked = STATE.codes.pop(form.get("code", ""), None)
        challenge = _base64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if not self._is_client(form):
            self._json({"error": "invalid_client"}, 401)
        elif asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form.get("redirect_uri"):
            self._json({"error": "invalid_grant"}, 400)
        else:
            self._reply_as("token reply", {"access_token": "opaque", "token_type": "Bearer", "id_token": STATE.identity_token(asked)})

    def _is_client(self, form: dict[str, str]) -> bool:
        how = STATE.behaviour.get("client auth", "client_secret_basic")
        if how == "none":
            return form.get("client_id") == CLIENT and "client_secret" not in form
        if how == "client_secret_post":
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        return self.headers.get("Authorization") == "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()

    def _came(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        if parts.path not in ("/seen", "/behave"):
            STATE.seen.append({"method": self.command, "path": self.path})
        return parts.path, dict(parse_qsl(parts.query))

    def _reply_as(self, which: str, usual: Any) -> None:
        how = STATE.behaviour.get(which)
        if how == "late":
            STATE.go_on.wait(20)
        elif how == "endless":
            self.send_response(200)
            self.end_headers()
            for _ in range(400):
                self.wfile.write(b" " * 10_000)
        elif how == "elsewhere":
            self.send_response(302)
            self.send_header("Location", f"{STATE.issuer}/seen")
            self.end_headers()
        elif isinstance(how, dict):
            self._json(how.get("body"), how.get("status", 200))
        else:
            self._json(usual)

    def _json(self, body: Any, status: int = 200) -> None:
        self._send(json.dumps(body).encode() if not isinstance(body, str) else body.encode(), "application/json", status)

    def _html(self, body: str) -> None:
        self._send(body.encode(), "text/html", 200)

    def _send(self, content: bytes, kind: str, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    STATE.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    print(STATE.issuer, flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()
