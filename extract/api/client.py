"""One page of the 42 API, or a clear error: request, classify (response.py), retry."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests
from dlt.sources.helpers.rest_client.client import RESTClient
from requests.adapters import HTTPAdapter
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import HTTPError

from extract.api.auth import ClientCredentials
from extract.api.quota import Quota, header_number
from extract.api.response import Refused, Trouble, classify, is_json, receive, rows_of
from extract.base.errors import ApiError, CredentialsError
from extract.base.settings import Settings

ATTEMPTS = 6
ATTEMPTS_429 = 12
LONGEST_BACKOFF = 30.0
HEADERS = {
    "User-Agent": "fortytwo-mirror (+https://github.com/fortytwo-mirror)",
    "Accept": "application/json",
    # to unpack an answer costs more than to receive it, and the quota leaves time for both
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True)
class Page:
    """The rows of one answer and what its headers say about the list."""

    rows: list[dict[str, Any]]
    total: int | None
    per_page: int
    number: int


@dataclass(frozen=True)
class Call:
    """One HTTP call, in the columns of ops.api_calls and their order (never with a token).

    Attributes:
        error: Why the answer did not count; empty for a good one.
        milliseconds: From sending to the last byte.
    """

    path: str
    query: str
    page: int
    status: int | None
    rows: int
    error: str
    attempt: int
    milliseconds: int
    quota_left: int | None


class PageTooHeavy(ApiError):
    """The page timed out or ended in a gateway error each time: a smaller one may pass."""


@dataclass(frozen=True)
class _Question:
    """What is asked for: one page of a list."""

    path: str
    params: Mapping[str, str]
    number: int
    size: int

    def __str__(self) -> str:
        return f"GET /v2{self.path} page {self.number}"

    @property
    def query(self) -> str:
        """The parameters for the record: ids of people are only counted."""
        shown = {name: value[:80] for name, value in self.params.items()}
        for name in shown.keys() & {"filter[user_id]", "filter[id]"}:
            shown[name] = f"{self.params[name].count(',') + 1} ids"
        return "&".join(f"{name}={text}" for name, text in sorted(shown.items()))


class FortyTwoClient:
    """Reads pages; safe for many threads.

    Args:
        on_call: Told of every HTTP call on a resource, retries included.
    """

    def __init__(
        self,
        settings: Settings,
        quota: Quota,
        *,
        on_call: Callable[[Call], None] = lambda call: None,
    ) -> None:
        session = requests.Session()
        session.headers.update(HEADERS)
        adapter = HTTPAdapter(pool_maxsize=settings.requests_in_flight + 2)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        # proxies and certificates of the environment, but not what ~/.netrc says of a password
        found = session.merge_environment_settings(settings.api_url, {}, None, None, None)
        session.proxies, session.verify = found["proxies"], found["verify"]
        session.trust_env = False
        self._timeout = (10, settings.request_timeout)
        self.auth = ClientCredentials(settings, session, sleep=quota.pause)
        self.quota = quota
        self._on_call = on_call
        self._rest = RESTClient(f"{settings.api_url}/v2", auth=self.auth, session=session)
        self.cleaned = 0
        self._cleaned_lock = threading.Lock()

    def page(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        number: int = 1,
        size: int = 100,
        background: bool = False,
    ) -> Page:
        """Read one page.

        Args:
            path: Below `/v2`, e.g. `/cursus/21/users`.
            size: Rows wanted, at most 100.
            background: See `Quota.acquire`.

        Raises:
            ApiError: The answer is final (400, 403, 404) or stayed wrong after every retry.
            CredentialsError: The API keeps refusing fresh tokens.
            BudgetSpent: The run's budget or the hour is used up.
        """
        question = _Question(path, params or {}, number, size)
        retrying = Retrying(
            retry=retry_if_exception_type(Trouble),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=2, max=LONGEST_BACKOFF),
            sleep=self.quota.pause,
            reraise=True,
        )
        try:
            return retrying(self._admitted, question, background, retrying)
        except Trouble as trouble:
            kind = PageTooHeavy if trouble.heavy else ApiError
            raise kind(_failed(question, ATTEMPTS, str(trouble))) from trouble

    def _admitted(self, question: _Question, background: bool, retrying: Retrying) -> Page:
        """Read the page once the limiter and the token let it through: after 429 and a 401."""
        renewed = False
        for _ in range(ATTEMPTS_429):
            self.quota.acquire(background)  # after a 429 it waits as long as the API asks
            token = self.auth.token()
            try:
                return self._read(question, retrying.statistics["attempt_number"] - 1)
            except Trouble:
                self.quota.unanswered()
                raise
            except Refused as refused:
                status = refused.response.status_code
                if status == 429:
                    self.quota.refused(refused.response.headers)
                elif status == 401 and not renewed:
                    self.auth.refuse(token)
                    renewed = True
                elif status == 401:
                    raise _refused_twice(question) from None
                else:
                    raise _final(question, refused.response) from None
            self.quota.pause(0)
        raise ApiError(_failed(question, ATTEMPTS_429, "429, again and again"))

    def _read(self, question: _Question, retries: int) -> Page:
        """Send one request; its response is on record, whatever it is."""
        started = time.monotonic()
        status: int | None = None
        headers: Mapping[str, str] = {}
        rows: list[dict[str, Any]] = []
        error = ""
        try:
            response = self._rest.get(
                question.path,
                params={
                    **question.params,
                    "page[number]": question.number,
                    "page[size]": question.size,
                },
                stream=True,  # `receive` reads it
                allow_redirects=False,
                timeout=self._timeout,
            )
            status, headers = response.status_code, response.headers
            receive(response, started)
            self.quota.learn(headers)
            classify(response)
            rows, cleaned = rows_of(response.content)
            with self._cleaned_lock:
                self.cleaned += cleaned
            # X-Total counts rows, and the API clamps the size; `Link` varies and lacks relations
            total = header_number(headers, "X-Total")
            per_page = header_number(headers, "X-Per-Page") or question.size
            return Page(rows, total, per_page, question.number)
        except BaseException as caught:
            named = _named(caught)
            error = str(named)
            if named is caught:
                raise
            raise named from caught
        finally:
            self._on_call(
                Call(
                    path=question.path,
                    query=question.query,
                    page=question.number,
                    status=status,
                    rows=len(rows),
                    error=error,
                    attempt=retries,
                    milliseconds=round(1000 * (time.monotonic() - started)),
                    quota_left=header_number(headers, "X-Hourly-RateLimit-Remaining"),
                )
            )


def _named(error: BaseException) -> BaseException:
    """What a request can end in, as trouble that another try may not have."""
    if isinstance(error, requests.Timeout):
        return Trouble("no answer in time", heavy=True)
    if isinstance(error, (requests.RequestException, HTTPError)):
        return Trouble(f"connection trouble ({type(error).__name__})")
    return error


def _failed(question: _Question, tries: int, reason: str) -> str:
    return (
        f"{question} failed after {tries} tries: {reason}. Nothing was loaded from this list; run "
        "the same command again later."
    )


def _refused_twice(question: _Question) -> CredentialsError:
    return CredentialsError(
        f"GET /v2{question.path} was answered 401 with a fresh token. The application's access "
        "was withdrawn: check it on the intra (Settings > API). Nothing was loaded."
    )


def _final(question: _Question, response: requests.Response) -> ApiError:
    said = ""
    if is_json(response):
        with suppress(ValueError, AttributeError):  # no JSON after all, or no object
            body = response.json()
            said = f" ({str(body.get('message') or body.get('error') or '')[:200]})"
    return ApiError(
        f"GET /v2{question.path}?{question.query} was answered {response.status_code}{said}. This "
        "answer is final: the endpoint, a filter or the application's rights are not what the "
        "mirror expects (docs/42-api.md section 4.1). Nothing was loaded from this list.",
        response.status_code,
    )
