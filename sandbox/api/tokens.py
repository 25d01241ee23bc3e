"""OAuth2 tokens of the one application this sandbox knows."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from sandbox.api import errors
from sandbox.clock import Clock

GRANTS = ("client_credentials", "authorization_code", "refresh_token")
INVALID_GRANT = (
    "The provided authorization grant is invalid, expired, revoked, does not match the "
    "redirection URI used in the authorization request, or was issued to another client."
)
UNSUPPORTED = "The authorization grant type is not supported by the authorization server."
MISSING = (
    "The request is missing a required parameter, includes an unsupported parameter value, "
    "or is otherwise malformed."
)
SCOPES = ("public", "projects", "profile", "elearning", "tig", "forum")
EXPIRED = "The access token expired"
REVOKED = "The access token was revoked"
INVALID = "The access token is invalid"


@dataclass
class Token:
    """One access token."""

    text: str
    created_at: float
    expires_at: float
    scope: str
    revoked: bool = False


class Tokens:
    """Gives out tokens and tells good ones from bad ones."""

    def __init__(
        self,
        clock: Clock,
        client_id: str,
        secret: str,
        next_secret: str | None,
        life: int,
        secret_days: float,
    ) -> None:
        self._clock = clock
        self.client_id = client_id
        self._secret = secret
        self._next_secret = next_secret
        self._life = life
        self._secret_days = secret_days
        self._secret_until = clock.real() + secret_days * 86_400
        self._made = 0
        self._current: dict[str, Token] = {}
        self._known: dict[str, Token] = {}

    def answer(self, fields: dict[str, str], authorization: str | None) -> dict[str, Any]:
        """Answer a token request.

        Raises:
            ApiError: 401 with the documented body for everything but client credentials.
        """
        grant = fields.get("grant_type")
        client_id, secret = fields.get("client_id"), fields.get("client_secret")
        basic = _basic(authorization)
        if basic is not None:
            client_id, secret = basic
        if grant is None:
            raise errors.oauth("invalid_request", MISSING, status=400)
        if grant not in GRANTS:
            raise errors.oauth("unsupported_grant_type", UNSUPPORTED)
        if client_id != self.client_id or not self._good_secret(secret):
            raise errors.invalid_client()
        if grant != "client_credentials":
            raise errors.oauth("invalid_grant", INVALID_GRANT)
        scope = fields.get("scope", "").replace("+", " ").split() or ["public"]
        if any(name not in SCOPES for name in scope):
            message = "The requested scope is invalid, unknown, or malformed."
            raise errors.oauth("invalid_scope", message)
        token = self._token(" ".join(scope))
        return {
            "access_token": token.text,
            "token_type": "bearer",
            "expires_in": math.ceil(token.expires_at - self._clock.real()),
            "scope": token.scope,
            "created_at": int(token.created_at),
            "secret_valid_until": int(self._secret_until),
        }

    def _good_secret(self, secret: str | None) -> bool:
        now = self._clock.real()
        if secret is not None and secret == self._next_secret:
            return True
        return secret == self._secret and now < self._secret_until

    def _token(self, scope: str) -> Token:
        """Return the token that is still good, or a new one."""
        now = self._clock.real()
        token = self._current.get(scope)
        if token is None or token.revoked or token.expires_at - now < 1:
            self._made += 1
            text = hashlib.sha256(f"{self.client_id}/{scope}/{self._made}/{now}".encode())
            token = Token(text.hexdigest(), now, now + self._life, scope)
            self._current[scope] = self._known[token.text] = token
        return token

    def check(self, text: str | None) -> Token:
        """Return the token a request brought.

        Raises:
            ApiError: 401 with the reason in WWW-Authenticate.
        """
        token = self._known.get(text or "")
        if token is None:
            raise errors.unauthorized(INVALID)
        if token.revoked:
            raise errors.unauthorized(REVOKED)
        if token.expires_at <= self._clock.real():
            raise errors.unauthorized(EXPIRED)
        return token

    def info(self, token: Token) -> dict[str, Any]:
        """Answer /oauth/token/info."""
        return {
            "resource_owner_id": None,
            "scopes": token.scope.split(),
            "expires_in_seconds": math.ceil(token.expires_at - self._clock.real()),
            "application": {"uid": self.client_id},
            "created_at": int(token.created_at),
        }

    def expire_all(self) -> None:
        """Make every token expired, as if its two hours were over."""
        now = self._clock.real()
        for token in self._known.values():
            token.expires_at = min(token.expires_at, now)

    def revoke_all(self) -> None:
        """Revoke every token."""
        for token in self._known.values():
            token.revoked = True

    def expire_secret(self) -> None:
        """Let the application secret run out now."""
        self._secret_until = min(self._secret_until, self._clock.real())

    def renew_secret(self) -> None:
        """Give the application secret its whole life again."""
        self._secret_until = self._clock.real() + self._secret_days * 86_400


def request_fields(query: str, content_type: str, body: bytes) -> dict[str, str]:
    """Collect token parameters from the query string, a form, or a JSON body."""
    fields = dict(parse_qsl(query, keep_blank_values=True))
    if "json" in content_type:
        try:
            sent = orjson.loads(body or b"{}")
        except orjson.JSONDecodeError:
            sent = {}
        if isinstance(sent, dict):
            fields.update({str(key): _text(value) for key, value in sent.items()})
    elif "multipart/form-data" in content_type:
        fields.update(_multipart(content_type, body))
    else:
        fields.update(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return fields


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _multipart(content_type: str, body: bytes) -> dict[str, str]:
    """Read the plain fields of `curl -F`."""
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    fields = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = head.partition(b'name="')[2].partition(b'"')[0]
        fields[name.decode()] = value.removesuffix(b"\r\n").decode("utf-8", "replace")
    return fields


def _basic(authorization: str | None) -> tuple[str, str] | None:
    if authorization is None or not authorization.lower().startswith("basic "):
        return None
    try:
        text = base64.b64decode(authorization[6:], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    client_id, _, secret = text.partition(":")
    return client_id, secret
