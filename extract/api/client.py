"""One page of the 42 API, or a clear error: every retry rule lives here (42-api.md section 1.2)."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
import requests
from dlt.sources.helpers.rest_client.client import RESTClient
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import default_headers
from urllib3.exceptions import HTTPError

from extract.api.auth import ClientCredentials
from extract.api.paginator import PagePaginator
from extract.api.quota import Quota
from extract.base.errors import ApiError, CredentialsError
from extract.base.settings import Settings

ATTEMPTS = 6
ATTEMPTS_429 = 12
LONGEST_BACKOFF = 30.0
# longest time a whole answer may take: a drip keeps the read timeout happy for ever
LONGEST_ANSWER = 180.0
LARGEST_BODY = 256 * 1024 * 1024
LARGEST_PIECE = 1024 * 1024
# a field whose number may be beyond 64 bits: the fast reader would round it
LONG_NUMBER = re.compile(rb": ?-?\d{19}")
# so many digits at all are found three times as fast, and only then looked at closely
ONLY_ZEROS, MANY_ZEROS = bytes.maketrans(b"123456789", b"0" * 9), b"0" * 19
HEADERS = {
    **default_headers(),
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
    """One HTTP call, as the record keeps it (never with a token).

    Attributes:
        error: Why the answer did not count; empty for a good one.
        seconds: From sending to the last byte.
    """

    path: str
    query: str
    page: int
    status: int | None
    rows: int
    error: str
    seconds: float
    attempt: int
    quota_left: int | None


class PageTooHeavy(ApiError):
    """The page timed out or ended in a gateway error each time: a smaller one may pass."""


class _Retry(Exception):
    """This try failed in a way that another may not."""

    def __init__(self, reason: str, wait: float | None = None, *, heavy: bool = False) -> None:
        super().__init__(reason)
        self.wait, self.heavy = wait, heavy


class _PageClient(RESTClient):
    """dlt's client with our reading of a body: a JSON array of objects, or no page at all."""

    def extract_response(self, response: requests.Response, data_selector: Any) -> list[Any]:
        return response.page_rows  # type: ignore[attr-defined, no-any-return]

    def _send_request(self, request: requests.Request, **kwargs: Any) -> requests.Response:
        """Send by requests' adapter at once.

        Without cookies, redirects and a second look at addresses that are well-formed: the API has
        no use for them, and they are a seventh of an extraction's CPU (docs/performance.md).
        """
        joined = "&" if "?" in request.url else "?"
        prepared = requests.PreparedRequest()
        prepared.method, prepared.headers = request.method, CaseInsensitiveDict(HEADERS)
        prepared.url = f"{request.url}{joined}{urlencode(request.params)}"
        response = self.session.get_adapter(prepared.url).send(request.auth(prepared), **kwargs)
        for receive in request.hooks["response"]:
            receive(response)
        return response


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
        # proxies and certificates of the environment: looked up once, not for each call
        found = session.merge_environment_settings(settings.api_url, {}, None, None, None)
        session.proxies, session.verify = found["proxies"], found["verify"]
        session.trust_env = False
        timeout = (10, settings.request_timeout)
        self._sending: dict[str, Any] = {**found, "stream": True, "timeout": timeout}
        self._stopping = threading.Event()
        self.auth = ClientCredentials(settings, session, sleep=self._pause)
        self.quota = quota
        self._settings, self._on_call = settings, on_call
        self._rest = _PageClient(f"{settings.api_url}/v2", auth=self.auth, session=session)
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
        reason, heavy, refused, tried_429, attempt = "", False, False, 0, 0
        while attempt < ATTEMPTS:
            self.quota.acquire(background)
            token = self.auth.token()
            started = time.monotonic()
            seen: list[requests.Response] = []
            error, rows = "", 0
            try:
                page = self._read(path, params or {}, number, size, seen)
                rows = len(page.rows)
                return page
            except _Refused as answer:
                response = answer.response
                error = f"status {response.status_code}"
                if response.status_code == 429:
                    # the next acquire() waits as long as the API asks
                    self.quota.refused(response.headers)
                    wait, heavy = 0.0, False
                    tried_429 += 1
                    if tried_429 >= ATTEMPTS_429:
                        reason = "429, again and again"
                        break
                elif response.status_code == 401:
                    if refused:
                        raise self._refused_twice(path) from None
                    refused, wait = True, 0.0
                    self.auth.refuse(token)
                else:
                    raise self._final(path, params or {}, response) from None
            except _Retry as trouble:
                self.quota.unanswered()
                reason = error = str(trouble)
                heavy = trouble.heavy
                attempt += 1
                wait = trouble.wait or min(2.0**attempt * random.uniform(0.5, 1), LONGEST_BACKOFF)
            finally:
                self._record(path, params or {}, number, seen, rows, error, started, attempt)
                seen.clear()  # a circle (answer, request, hook, answer) would keep the page's rows
            if attempt < ATTEMPTS:
                self._pause(wait)
        message = (
            f"GET /v2{path} page {number} failed after {attempt + tried_429} tries: {reason}. "
            "Nothing was loaded from this list; run the same command again later."
        )
        raise PageTooHeavy(message) if heavy else ApiError(message)

    def _read(
        self,
        path: str,
        params: Mapping[str, str],
        number: int,
        size: int,
        seen: list[requests.Response],
    ) -> Page:
        paginator = PagePaginator(first=number, last=number, size=size)
        started = time.monotonic()

        def receive(response: requests.Response, *args: Any, **kwargs: Any) -> None:
            seen.append(response)
            _receive(response, started)
            self.quota.learn(response.headers)
            response.page_rows = self._rows(response)  # type: ignore[attr-defined]

        # commas as they are: three bytes for each of a hundred ids are looked at again and again
        asked = f"{path}?{urlencode(params, safe=',')}" if params else path
        try:
            data = next(
                self._rest.paginate(
                    asked,
                    params={},
                    paginator=paginator,
                    data_selector="$",
                    hooks={"response": [receive]},
                    **self._sending,
                )
            )
        except requests.Timeout as error:
            raise _Retry("no answer in time", heavy=True) from error
        except (requests.RequestException, HTTPError) as error:
            raise _Retry(f"connection trouble ({type(error).__name__})") from error
        return Page(list(data), paginator.total, paginator.per_page, number)

    def _rows(self, response: requests.Response) -> list[dict[str, Any]]:
        """The objects of a good answer.

        Raises:
            _Refused: The status is one that another try alone will not change.
            _Retry: Everything that a later try may answer well.
        """
        status = response.status_code
        if status >= 500:
            raise _Retry(f"status {status}", heavy=status in (502, 504))
        if status == 403 and not _is_json(response):
            raise _Retry("403 from the gateway in front of the API")
        if status != 200:
            raise _Refused(response)
        try:
            data = self._parse(response.content)
        except (ValueError, RecursionError):
            raise _Retry("the answer is no whole JSON document") from None
        if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
            raise _Retry("the answer is no list of objects")
        return data

    def _parse(self, body: bytes) -> Any:
        """JSON; NUL and lone surrogates, which PostgreSQL cannot store, are cleaned and counted."""
        # most pages have no backslash at all, which is found out ten times as fast
        has_nul = b"\\" in body and b"\\u0000" in body
        if not has_nul and not _has_long_number(body):
            try:
                return orjson.loads(body)
            except orjson.JSONDecodeError:
                pass  # lone surrogates and numbers beyond a double: the slow reader takes them
        data, count = _clean(json.loads(body))
        with self._cleaned_lock:
            self.cleaned += count
        return data

    def _refused_twice(self, path: str) -> CredentialsError:
        return CredentialsError(
            f"GET /v2{path} was answered 401 with a fresh token. The application's access was "
            "withdrawn: check it on the intra (Settings > API). Nothing was loaded."
        )

    def _final(self, path: str, params: Mapping[str, str], response: requests.Response) -> ApiError:
        query = "&".join(f"{key}={_public(key, value)}" for key, value in params.items())
        said = ""
        if _is_json(response):
            try:
                body = response.json()
                said = f" ({str(body.get('message') or body.get('error') or '')[:200]})"
            except (ValueError, AttributeError):
                said = ""
        return ApiError(
            f"GET /v2{path}?{query} was answered {response.status_code}{said}. This answer is "
            "final: the endpoint, a filter or the application's rights are not what the mirror "
            "expects (docs/42-api.md section 4.1). Nothing was loaded from this list.",
            response.status_code,
        )

    def _record(
        self,
        path: str,
        params: Mapping[str, str],
        number: int,
        seen: list[requests.Response],
        rows: int,
        error: str,
        started: float,
        attempt: int,
    ) -> None:
        response = seen[-1] if seen else None
        headers = response.headers if response is not None else {}
        left = headers.get("X-Hourly-RateLimit-Remaining", "")
        self._on_call(
            Call(
                path=path,
                query="&".join(f"{k}={_public(k, v)}" for k, v in sorted(params.items())),
                page=number,
                status=response.status_code if response is not None else None,
                rows=rows,
                error=error,
                seconds=time.monotonic() - started,
                attempt=attempt,
                quota_left=int(left) if left.isdigit() else None,
            )
        )

    def stop(self) -> None:
        """End every wait of the worker threads: the run is over."""
        self._stopping.set()
        self.quota.stop()

    def resume(self) -> None:
        """Go on after `stop`: only what was read then is over."""
        self._stopping.clear()
        self.quota.resume()

    def _pause(self, seconds: float) -> None:
        if self._stopping.wait(seconds) if seconds > 0 else self._stopping.is_set():
            raise ApiError("The run was stopped.")


class _Refused(Exception):
    def __init__(self, response: requests.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def _receive(response: requests.Response, started: float) -> None:
    """Read the body under one deadline and one size limit, whatever its pace."""
    chunks, size = [], 0
    try:
        # what there is, not a chunk of a fixed size: a drip would fill one for hours
        while chunk := response.raw.read1(LARGEST_PIECE, decode_content=True):
            size += len(chunk)
            if size > LARGEST_BODY:
                raise _Retry(f"a page of more than {LARGEST_BODY >> 20} MiB", heavy=True)
            if time.monotonic() - started > LONGEST_ANSWER:
                raise _Retry("the answer dripped in too slowly", heavy=True)
            chunks.append(chunk)
    except BaseException:
        response.close()
        raise
    # requests offers no other way to hand it a body that was read under a deadline
    response._content = b"".join(chunks)  # noqa: SLF001
    response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001


def _has_long_number(body: bytes) -> bool:
    return MANY_ZEROS in body.translate(ONLY_ZEROS) and bool(LONG_NUMBER.search(body))


def _public(parameter: str, value: str) -> str:
    """A parameter for the record: ids of people are only counted."""
    if parameter in ("filter[user_id]", "filter[id]"):
        return f"{value.count(',') + 1} ids"
    return value[:80]


def _is_json(response: requests.Response) -> bool:
    return "json" in response.headers.get("Content-Type", "")


def _clean(value: Any) -> tuple[Any, int]:
    """The value without NUL and lone surrogates, and how many texts had them."""
    if isinstance(value, str):
        text = value.replace("\x00", "").encode("utf-16", "surrogatepass")
        clean = text.decode("utf-16", "replace")
        return clean, int(clean != value)
    if isinstance(value, list):
        pairs = [_clean(item) for item in value]
        return [item for item, _ in pairs], sum(count for _, count in pairs)
    if isinstance(value, dict):
        cleaned, total = {}, 0
        for key, item in value.items():
            (name, in_name), (inner, in_value) = _clean(key), _clean(item)
            cleaned[name] = inner
            total += in_name + in_value
        return cleaned, total
    return value, 0
