"""A peer: a Singer tap as its SDK's template leads to, for the same lists.

Runs in a virtual environment of its own (see `benchmarks.peers`), its output piped into
target-postgres: `… .singer_tap ADDRESS TOKEN | target-postgres --config FILE`.
"""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import ParseResult

import requests
from singer_sdk import RESTStream, Tap
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.pagination import BasePageNumberPaginator

from benchmarks.lists import LISTS, TABLES

PAGE = 100
JSON_TYPES: dict[str, dict[str, Any]] = {
    "bigint": {"type": ["integer", "null"]},
    "float8": {"type": ["number", "null"]},
    "bool": {"type": ["boolean", "null"]},
    "text": {"type": ["string", "null"]},
    "timestamptz": {"type": ["string", "null"], "format": "date-time"},
    "jsonb": {"type": ["object", "array", "null"]},
}


class Pages(BasePageNumberPaginator):
    """Goes on while pages are full."""

    def has_more(self, response: requests.Response) -> bool:
        """Whether there may be another page."""
        return len(response.json()) == PAGE


class List(RESTStream[int]):
    """One list of the API, whole."""

    primary_keys = ("id",)
    filters: dict[str, str]

    @property
    def url_base(self) -> str:
        """The API."""
        return f"{self.config['address']}/v2"

    @property
    def authenticator(self) -> BearerTokenAuthenticator:
        """The token that the command was given."""
        return BearerTokenAuthenticator(token=self.config["token"])

    def get_new_paginator(self) -> Pages:
        """By number."""
        return Pages(1)

    def get_url_params(
        self, context: Any, next_page_token: int | ParseResult | None
    ) -> dict[str, Any]:
        """Filters, order and page."""
        page = {"page[size]": PAGE, "page[number]": next_page_token or 1}
        return {**self.filters, "sort": "id", **page}


class Tap42(Tap):
    """The lists of a full pass."""

    name = "tap-42"
    config_jsonschema = {"properties": {"address": {}, "token": {}}}  # noqa: RUF012

    def discover_streams(self) -> list[List]:
        """A stream a list; campus_id is the product's own and no field of the API."""
        streams = []
        for table, (path, filters) in LISTS.items():
            words = dict(word.split(":") for word in TABLES[table].split())
            properties = {
                name: JSON_TYPES[kind]
                for name, kind in words.items()
                if (table, name) != ("users", "campus_id")
            }
            kind = type(table, (List,), {"filters": filters})
            schema = {"type": "object", "properties": properties}
            streams.append(kind(tap=self, name=table, schema=schema, path=path))
        return streams


if __name__ == "__main__":
    Tap42(config={"address": sys.argv[1], "token": sys.argv[2], "user_agent": "peer"}).sync_all()
