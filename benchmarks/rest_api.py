"""The peer: dlt's own rest_api source with its defaults, reading the same lists.

It has no listing a campus, no completeness, no quota: it is what dlt's tutorial leads to. Run as a
process: `… .rest_api ADDRESS DIRECTORY`, with libpq's variables set.
"""

from __future__ import annotations

import sys
import urllib.request
from typing import Any

import dlt
import orjson
from dlt.sources.rest_api import rest_api_source

from benchmarks.lists import LISTS


def main(address: str, directory: str) -> None:
    """Read and load everything."""
    body = b"grant_type=client_credentials&client_id=sandbox&client_secret=sandbox"
    request = urllib.request.Request(f"{address}/oauth/token", body, {"User-Agent": "peer"})
    with urllib.request.urlopen(request) as response:
        token = orjson.loads(response.read())["access_token"]
    resources: list[Any] = [
        {
            "name": name,
            "endpoint": {
                "path": path.lstrip("/"),
                "params": {"page[size]": 100, "sort": "id", **params},
                "data_selector": "$",
            },
        }
        for name, (path, params) in LISTS.items()
    ]
    source = rest_api_source(
        {
            "client": {
                "base_url": f"{address}/v2/",
                "auth": {"type": "bearer", "token": token},
                "headers": {"User-Agent": "peer"},
                "paginator": {
                    "type": "page_number",
                    "base_page": 1,
                    "page_param": "page[number]",
                    "total_path": None,
                    "stop_after_empty_page": True,
                },
            },
            "resource_defaults": {"primary_key": "id", "write_disposition": "replace"},
            "resources": resources,
        }
    )
    pipeline = dlt.pipeline(
        "peer", pipelines_dir=directory, destination="postgres", dataset_name="peer"
    )
    pipeline.run(source)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
