"""Pages by number and size, held against `X-Total` (42-api.md section 3)."""

import math
from typing import Any

from dlt.sources.helpers.rest_client.paginators import BasePaginator
from requests import Request, Response

from extract.api.quota import header_number

PAGE_SIZE = 100


class PagePaginator(BasePaginator):
    """Reads pages `first` to `last`; without `last`, to the short page.

    `Link` is ignored: its order varies and relations are missing. `X-Total` counts items, and
    `X-Per-Page` tells the real size, since the API clamps it.

    Args:
        first: Number of the first page, from 1.
        last: Number of the last page wanted; None for all.
        size: Rows a page, at most 100.
    """

    def __init__(self, first: int = 1, last: int | None = None, size: int = PAGE_SIZE) -> None:
        super().__init__()
        self.number, self.last, self.size = first, last, size
        self.total: int | None = None
        self.per_page = size

    def init_request(self, request: Request) -> None:
        """Ask for the first page."""
        request.params = dict(request.params or {})
        self.update_request(request)

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        """Learn from an answer whether there is another page."""
        self.total = header_number(response.headers, "X-Total")
        self.per_page = header_number(response.headers, "X-Per-Page") or self.size
        rows = len(data or [])
        if self.last is not None:
            self._has_next_page = self.number < self.last
        elif self.total is not None:
            self._has_next_page = self.number < math.ceil(self.total / self.per_page)
        else:
            # a list that ignores paging sends more than a page: it has sent everything
            self._has_next_page = rows == self.per_page
        self.number += 1

    def update_request(self, request: Request) -> None:
        """Ask for the next page."""
        request.params["page[number]"] = self.number
        request.params["page[size]"] = self.size
