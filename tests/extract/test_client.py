"""One page or a clear error: what each answer of the API leads to."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from extract.api import client as clients
from extract.api import response as responses
from extract.api.auth import ClientCredentials
from extract.api.client import Call, FortyTwoClient, PageTooHeavy
from extract.api.quota import Quota
from extract.base.errors import ApiError, CredentialsError
from extract.base.settings import Settings
from tests.extract.served_list import ServedList, serve

ROWS = [{"id": key} for key in range(1, 4)]
JSON = {"Content-Type": "application/json", "X-Total": "3"}
HTML = {"Content-Type": "text/html"}


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "LONGEST_BACKOFF", 0.01)


def get(listing: ServedList, directory: Path) -> tuple[list[dict[str, object]], list[Call]]:
    """The rows of the first page and the calls it took."""
    calls: list[Call] = []
    with serve(listing) as url:
        client = FortyTwoClient(
            Settings(url, "id", "secret", request_timeout=1.0),
            Quota(url, directory=directory),
            on_call=calls.append,
        )
        return client.page("/users", {"filter[id]": "1,2,3"}).rows, calls


@pytest.mark.parametrize(
    "answer",
    [
        (500, HTML, b"<html>500</html>"),
        (502, HTML, b"<html>502</html>"),
        (503, HTML, b"unavailable"),
        (403, HTML, b"<title>Just a moment...</title>"),
        (403, {"Content-Type": ""}, b""),
        (200, HTML, b"<html>maintenance</html>"),
        (200, JSON, b'{"error": "an object"}'),
        (200, JSON, b'[{"id": 1}, {"id":'),
        (200, JSON, b"[1, 2, 3]"),
        (200, JSON, b"[" * 20_000),
        (429, {**HTML, "Retry-After": "0"}, b"429 Too Many Requests (Spam Rate Limit Exceeded)"),
        (401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}, b"{}"),
    ],
)
def test_a_passing_fault_is_recovered_from(
    answer: tuple[int, dict[str, str], bytes], tmp_path: Path
) -> None:
    rows, calls = get(ServedList(list(ROWS), answers={1: answer}), tmp_path)
    assert rows == ROWS
    assert [bool(call.error) for call in calls] == [True, False]
    assert calls[0].status == answer[0]


def test_a_401_is_answered_with_a_new_token(tmp_path: Path) -> None:
    listing = ServedList(list(ROWS), answers={1: (401, {}, b"{}")})
    assert get(listing, tmp_path)[0] == ROWS
    assert len(listing.tokens) == 2


def test_a_401_on_a_fresh_token_ends_the_run(tmp_path: Path) -> None:
    listing = ServedList(list(ROWS), answers=dict.fromkeys((1, 2), (401, {}, b"{}")))
    with pytest.raises(CredentialsError, match="401 with a fresh token"):
        get(listing, tmp_path)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"error": "Filter Error", "message": "Attributes x"}', "Attributes x"),
        (404, b"{}", "404"),
        (403, b'{"error": "Forbidden", "message": "Insufficient scope"}', "Insufficient scope"),
    ],
)
def test_a_final_answer_names_the_request(
    status: int, body: bytes, said: str, tmp_path: Path
) -> None:
    listing = ServedList(list(ROWS), answers={1: (status, JSON, body)})
    with pytest.raises(
        ApiError, match=rf"GET /v2/users\?filter\[id\]=3 ids was answered {status}"
    ) as e:
        get(listing, tmp_path)
    assert said in str(e.value)
    assert listing.asked == 1


def test_a_lasting_fault_fails_after_some_tries(tmp_path: Path) -> None:
    listing = ServedList(list(ROWS), answers=dict.fromkeys(range(1, 50), (503, HTML, b"")))
    with pytest.raises(ApiError, match="failed after 6 tries: status 503"):
        get(listing, tmp_path)
    assert listing.asked == clients.ATTEMPTS


def test_a_lasting_gateway_error_says_that_the_page_is_too_heavy(tmp_path: Path) -> None:
    listing = ServedList(list(ROWS), answers=dict.fromkeys(range(1, 50), (504, HTML, b"")))
    with pytest.raises(PageTooHeavy):
        get(listing, tmp_path)


@pytest.mark.slow
def test_a_429_without_end_fails(tmp_path: Path) -> None:
    answer = (429, {**HTML, "Retry-After": "0"}, b"429")
    listing = ServedList(list(ROWS), answers=dict.fromkeys(range(1, 50), answer))
    with pytest.raises(ApiError, match="429, again and again"):
        get(listing, tmp_path)


def test_what_postgresql_cannot_store_is_cleaned_and_counted(tmp_path: Path) -> None:
    text = json.dumps([{"id": 1, "name": "a\x00b\ud800c", "\x00key": ["\udfff"]}])
    listing = ServedList([], answers={1: (200, JSON, text.encode())})
    with serve(listing) as url:
        client = FortyTwoClient(Settings(url, "i", "s"), Quota(url, directory=tmp_path))
        (row,) = client.page("/users").rows
        assert client.cleaned == 3
    assert row == {"id": 1, "name": "ab�c", "key": ["�"]}


@pytest.mark.parametrize("number", [-(2**63) - 1, -(2**63), 2**63, 2**64 - 1, 2**64, 10**30])
def test_a_whole_number_is_read_to_its_last_digit(number: int) -> None:
    ([row], _) = responses.rows_of(f'[{{"new": {number}}}]'.encode())

    assert (type(row["new"]), row["new"]) == (int, number)


@pytest.mark.parametrize("padding", [0, 2 << 20])
@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_no_json_document_has_is_no_number(word: str, padding: int) -> None:
    with pytest.raises(responses.Trouble, match="no whole JSON document"):
        responses.rows_of(f'[{{"new": {word}}}{" " * padding}]'.encode())


def test_the_record_of_a_call_counts_people_and_never_names_them(tmp_path: Path) -> None:
    _, (call,) = get(ServedList(list(ROWS)), tmp_path)
    assert call.query == "filter[id]=3 ids"
    assert call.quota_left is None
    assert call.rows == 3


def test_a_slow_response_is_cut_off_at_the_deadline_and_not_after_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "LONGEST_RESPONSE", 0.5)
    monkeypatch.setattr(clients, "ATTEMPTS", 1)
    started = time.monotonic()
    with pytest.raises(PageTooHeavy, match="came too slowly"):
        get(ServedList([{"id": key} for key in range(100)], pause=0.05), tmp_path)
    assert time.monotonic() - started < 10  # the whole body takes a minute


def test_a_redirect_is_no_answer_and_the_token_stays_here(tmp_path: Path) -> None:
    elsewhere = ServedList(list(ROWS))
    with serve(elsewhere) as address:
        listing = ServedList([], answers={1: (302, {"Location": f"{address}/v2/users"}, b"")})
        with pytest.raises(ApiError, match="was answered 302"):
            get(listing, tmp_path)
    assert not elsewhere.seen


def test_the_proxy_of_the_environment_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing, url = ServedList(list(ROWS)), "http://api.example.test"
    with serve(listing) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        client = FortyTwoClient(Settings(url, "i", "s"), Quota(url, directory=tmp_path))
        assert client.page("/users").rows == ROWS
    ((path, headers),) = listing.seen
    assert path == f"{url}/v2/users?page%5Bnumber%5D=1&page%5Bsize%5D=100"
    assert headers["Host"] == "api.example.test"
    assert headers["Authorization"] == "Bearer t"


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make a certificate with")
def test_only_a_certificate_that_is_trusted_gets_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", certificate, "-out", tmp_path / "public.pem"),
        ],
        check=True,
        capture_output=True,
    )
    certificate.write_text(certificate.read_text() + (tmp_path / "public.pem").read_text())
    listing = ServedList(list(ROWS))
    with serve(listing, certificate) as url:
        quota = Quota(url, directory=tmp_path)
        config = Settings(url, "i", "s")
        with monkeypatch.context() as patch:
            # a page is sent another way than the token is asked for
            patch.setattr(ClientCredentials, "token", lambda self: "t")
            patch.setattr(clients, "ATTEMPTS", 1)
            with pytest.raises(ApiError, match=r"connection trouble \(SSLError\)"):
                FortyTwoClient(config, quota).page("/users")
        assert not listing.seen
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "public.pem"))
        assert FortyTwoClient(config, quota).page("/users").rows == ROWS
