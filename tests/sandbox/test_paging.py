"""Pages, totals, links, caching."""

from __future__ import annotations

import re

import pytest


def links(answer):
    return {
        relation: address
        for address, relation in re.findall(r'<([^>]+)>; rel="(\w+)"', answer.headers["Link"])
    }


def test_a_page_has_thirty_rows_unless_told_otherwise(api):
    answer = api.get("users")
    assert len(answer.json()) == 30
    assert answer.headers["X-Page"] == "1"
    assert answer.headers["X-Per-Page"] == "30"


@pytest.mark.parametrize("names", [("page[number]", "page[size]"), ("page", "per_page")])
def test_both_spellings_of_paging_work(api, names):
    answer = api.get("users", query={names[0]: 2, names[1]: 7})
    assert answer.headers["X-Page"] == "2"
    assert answer.headers["X-Per-Page"] == "7"
    whole = api.get("users", query={"per_page": 14}).json()
    assert answer.json() == whole[7:]


def test_more_than_a_hundred_rows_are_clamped_and_the_header_says_so(api):
    answer = api.get("users", query={"page[size]": 500})
    assert answer.headers["X-Per-Page"] == "100"
    assert len(answer.json()) == 100


def test_the_total_counts_rows_and_not_pages(api):
    answer = api.get("users", query={"per_page": 100})
    rows = api.every("users")
    assert int(answer.headers["X-Total"]) == len(rows)
    assert len({row["id"] for row in rows}) == len(rows)


def test_a_page_past_the_end_is_an_empty_list(api):
    answer = api.get("users", query={"page": 9999})
    assert answer.status_code == 200
    assert answer.json() == []
    assert int(answer.headers["X-Total"]) > 0


def test_links_lead_to_the_neighbours_on_the_same_server(api):
    answer = api.get("users", query={"page": 2, "per_page": 50, "sort": "login"})
    found = links(answer)
    assert set(found) == {"first", "prev", "next", "last"}
    assert found["next"].startswith(api.url)
    following = api.session.get(found["next"], timeout=10)
    assert following.json() == api.get("users", page=3, per_page=50, sort="login").json()
    assert following.headers["X-Page"] == "3"


def test_the_first_page_has_no_way_back_and_the_last_no_way_on(api):
    assert set(links(api.get("users"))) == {"next", "last"}
    last = api.session.get(links(api.get("users"))["last"], timeout=10)
    assert set(links(last)) == {"first", "prev"}
    assert "Link" not in api.get("campus").headers


def test_links_keep_the_spelling_and_the_filters_of_the_request(api):
    query = {"page[number]": 1, "page[size]": 10, "filter[kind]": "student"}
    following = links(api.get("users", query=query))["next"]
    assert "page%5Bnumber%5D=2" in following
    assert "filter%5Bkind%5D=student" in following


def test_head_counts_without_a_body(api):
    answer = api.session.head(f"{api.url}/v2/users?page[size]=1", timeout=10)
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["X-Total"] == api.get("users").headers["X-Total"]


def test_what_the_client_has_already_is_not_sent_again(api):
    tag = api.get("campus").headers["ETag"]
    assert tag.startswith('W/"')
    answer = api.session.get(f"{api.url}/v2/campus", headers={"If-None-Match": tag}, timeout=10)
    assert answer.status_code == 304
    assert answer.content == b""
    assert "X-Hourly-RateLimit-Remaining" in answer.headers


def test_pages_are_compressed_only_for_those_who_accept_it(api):
    assert api.get("users").headers["Content-Encoding"] == "gzip"
    bare = api.session.get(
        f"{api.url}/v2/users", headers={"Accept-Encoding": "identity"}, timeout=10
    )
    assert "Content-Encoding" not in bare.headers
    assert bare.json() == api.get("users").json()


def test_roles_ignore_paging_and_send_no_total(api):
    answer = api.get("roles", per_page=5)
    assert len(answer.json()) == 34
    assert "X-Total" not in answer.headers
    assert "Link" not in answer.headers


@pytest.mark.parametrize("page", ["0", "-1", "abc", ""])
def test_a_senseless_page_is_the_first(api, page):
    assert api.get("cursus", page=page).json() == api.get("cursus").json()
