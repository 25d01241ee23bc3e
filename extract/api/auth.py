"""OAuth2 client credentials as the 42 API grants them (42-api.md section 1)."""

import threading
import time
from collections.abc import Callable
from typing import Any

import requests
from dlt.common.configuration import configspec
from dlt.sources.helpers.rest_client.auth import AuthConfigBase

from extract.base import logs
from extract.base.errors import ApiError, CredentialsError
from extract.base.settings import Settings

MARGIN = 60.0
LONG_ENOUGH = 3600.0
ATTEMPTS = 6
LONGEST_BACKOFF = 30.0


@configspec(init=False)
class ClientCredentials(AuthConfigBase):
    """Puts a valid token on every request; safe for many threads.

    A token counts until receipt + expires_in - 60 s: the API hands a living token back with its
    remaining life, so neither 7200 nor `created_at` can be trusted. When the current secret is
    refused, `FORTYTWO_CLIENT_SECRET_NEXT` takes over (secrets die monthly).

    Attributes:
        secret_valid_until: Expiry of the application secret, unix seconds; None when not told.
        refreshes: Tokens asked for so far.
    """

    def __init__(
        self,
        settings: Settings,
        session: requests.Session,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings, self._session = settings, session
        self._sleep = sleep
        self._lock = threading.Lock()
        self._secrets = [s for s in (settings.client_secret, settings.client_secret_next) if s]
        self._token, self._valid_until = "", 0.0
        self.secret_valid_until: int | None = None
        self.using_next_secret = False
        self.refreshes = 0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token on a request."""
        request.headers["Authorization"] = f"Bearer {self.token()}"
        return request

    def token(self, seconds: float = 0.0) -> str:
        """A token that is valid for so many seconds.

        Raises:
            CredentialsError: The API refuses the secret (and the next one).
            ApiError: The token endpoint stayed out of reach.
        """
        with self._lock:
            if not self._token or time.time() + seconds >= self._valid_until:
                self._obtain()
            return self._token

    def refuse(self, token: str) -> None:
        """Forget a token that the API answered 401 to, unless it was replaced already."""
        with self._lock:
            if self._token == token:
                self._token = ""

    def prepare_for_run(self) -> None:
        """Ask anew when less than an hour is left, so that few listings see a token end."""
        self.token(LONG_ENOUGH)

    def life(self) -> float:
        """Seconds that the current token is still good for."""
        return max(0.0, self._valid_until - time.time()) if self._token else 0.0

    def secret_days(self) -> float | None:
        """Days until the application's secret expires; None when that is not told."""
        if self.secret_valid_until is None:
            return None
        return (self.secret_valid_until - time.time()) / 86400

    def _obtain(self) -> None:
        while True:
            answer = self._ask(self._secrets[0])
            if answer is not None:
                break
            if len(self._secrets) == 1:
                raise CredentialsError(
                    f"The API at {self._settings.api_url} refuses the application's credentials "
                    "(invalid_client). Check FORTYTWO_CLIENT_ID and FORTYTWO_CLIENT_SECRET; "
                    "secrets expire about monthly: make a new one on the intra (Settings > API) "
                    "and put it into .env. Nothing was read or changed."
                )
            self._secrets.pop(0)
            self.using_next_secret = True
        self._token = str(answer["access_token"])
        self._valid_until = time.time() + float(answer.get("expires_in") or 7200) - MARGIN
        until = answer.get("secret_valid_until")
        self.secret_valid_until = int(until) if isinstance(until, (int, float)) else None
        self.refreshes += 1
        logs.event(
            "token",
            seconds=round(self._valid_until - time.time()),
            refreshes=self.refreshes,
            secret_valid_until=self.secret_valid_until,
            next_secret=self.using_next_secret,
        )

    def _ask(self, secret: str) -> dict[str, Any] | None:
        """One token answer; None when the API refuses the secret."""
        trouble = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(min(2.0**attempt, LONGEST_BACKOFF))
            try:
                response = self._session.post(
                    f"{self._settings.api_url}/oauth/token",
                    data={
                        "grant_type": "client_credentials",
                        "client_id": self._settings.client_id,
                        "client_secret": secret,
                    },
                    timeout=(10, self._settings.request_timeout),
                )
            except requests.RequestException as error:
                trouble = type(error).__name__
                continue
            if response.status_code == 401 and b"invalid_client" in response.content:
                return None
            if response.status_code == 200:
                try:
                    answer = response.json()
                except ValueError:
                    answer = None
                if isinstance(answer, dict) and answer.get("access_token"):
                    return answer
                trouble = "200 without a token"
                continue
            trouble = f"status {response.status_code}"
            if response.status_code in (400, 404):
                break
        raise ApiError(
            f"No token from {self._settings.api_url}/oauth/token: {trouble}. Check "
            "FORTYTWO_API_URL and the network, or try later. Nothing was read or changed."
        )
