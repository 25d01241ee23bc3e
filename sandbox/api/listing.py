"""List pages: which rows, in which headers."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from sandbox.api.answer import Answer
from sandbox.api.errors import JSON_TYPE, denied, gateway, missing_row
from sandbox.api.query import Query
from sandbox.resources.base import Resource

_RESULTS = 48
_RESULT_ROWS = 4_000_000
_PAGE_BYTES = 32 * 1024 * 1024


class Lister:
    """Answers lists and single rows of one world; remembers pages until the world changes."""

    def __init__(self) -> None:
        self._version = -1
        self._results: OrderedDict[str, Sequence[Any]] = OrderedDict()
        self._result_rows = 0
        self._pages: OrderedDict[str, Answer] = OrderedDict()
        self._page_bytes = 0

    def forget(self, version: int) -> None:
        """Drop what is remembered when the world has changed."""
        if version == self._version:
            return
        self._version = version
        self._results.clear()
        self._pages.clear()
        self._result_rows = self._page_bytes = 0

    def rows(self, resource: Resource, query: Query) -> Sequence[Any]:
        """Return every row of a query."""
        key = resource.key(query)
        known = self._results.get(key)
        if known is not None:
            self._results.move_to_end(key)
            return known
        found = resource.query(query)
        self._results[key] = found
        self._result_rows += len(found)
        while len(self._results) > _RESULTS or (
            self._result_rows > _RESULT_ROWS and len(self._results) > 1
        ):
            _, dropped = self._results.popitem(last=False)
            self._result_rows -= len(dropped)
        return found

    def page(
        self,
        resource: Resource,
        query: Query,
        url: str,
        page_shift: int = 0,
        row_shift: int = 0,
    ) -> Answer:
        """Build one page.

        Args:
            resource: what is listed.
            query: which rows and which page.
            url: the request's own address without the query, for Link.
            page_shift: serve the rows of another page (fault injection).
            row_shift: serve rows that many places further (fault injection).

        Raises:
            ApiError: 504 for a page that is too large for the list.
        """
        if resource.largest_page is not None and query.size > resource.largest_page:
            raise gateway(504)
        rows = self.rows(resource, query)
        if not resource.paged:
            return Answer(200, self._body(resource, rows), {"Content-Type": JSON_TYPE})
        shown = max(query.page + page_shift, 1)
        start = (shown - 1) * query.size + row_shift
        key = f"{resource.key(query)}|{query.size}|{start}|{query.page}|{url}|{query.pairs}"
        key += str(query.brackets)
        known = self._pages.get(key)
        if known is None:
            headers = {
                "Content-Type": JSON_TYPE,
                "X-Page": str(query.page),
                "X-Per-Page": str(query.size),
                "X-Total": str(len(rows)),
            }
            link = _link(query, url, len(rows))
            if link:
                headers["Link"] = link
            known = Answer(200, self._body(resource, rows[start : start + query.size]), headers)
            known.headers["ETag"] = etag(known.body)
            self._remember(key, known)
        else:
            self._pages.move_to_end(key)
        return Answer(known.status, known.body, dict(known.headers))

    def _remember(self, key: str, answer: Answer) -> None:
        self._pages[key] = answer
        self._page_bytes += len(answer.body)
        while self._page_bytes > _PAGE_BYTES and len(self._pages) > 1:
            _, dropped = self._pages.popitem(last=False)
            self._page_bytes -= len(dropped.body)

    def _body(self, resource: Resource, rows: Sequence[Any]) -> bytes:
        parts = []
        for row in rows:
            found = resource.find(str(row)) if isinstance(row, int) else row
            if found is not None:
                parts.append(resource.render(found))
        return b"[" + b",".join(parts) + b"]"

    def show(self, resource: Resource, text: str) -> Answer:
        """Build the answer for one row.

        Raises:
            ApiError: 404 with the HTML page, or 403 for a hidden project.
        """
        row = resource.find(text)
        if row is None:
            raise missing_row()
        if isinstance(row, dict) and row.get("_hidden"):
            raise denied()
        body = (resource.show or resource.render)(row)
        return Answer(200, body, {"Content-Type": JSON_TYPE, "ETag": etag(body)})


def etag(body: bytes) -> str:
    """Return the weak ETag of a body."""
    return f'W/"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _link(query: Query, url: str, total: int) -> str:
    """Build the Link header; the order of the relations varies, absent ones are missing."""
    last = max((total + query.size - 1) // query.size, 1)
    pages: dict[str, int] = {}
    if query.page > 1:
        pages["first"] = 1
        pages["prev"] = min(query.page - 1, last)
    if query.page < last:
        pages["last"] = last
        pages["next"] = query.page + 1
    names = ("page[number]", "page[size]") if query.brackets else ("page", "per_page")
    relations = []
    for relation, page in pages.items():
        pairs = [*query.pairs, (names[0], str(page)), (names[1], str(query.size))]
        relations.append(f'<{url}?{urlencode(pairs)}>; rel="{relation}"')
    turn = query.page % max(len(relations), 1)
    return ", ".join(relations[turn:] + relations[:turn])
