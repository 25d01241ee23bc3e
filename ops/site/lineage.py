"""dbt's own documentation as `site/lineage.html`, with its requests and console errors mended."""

from __future__ import annotations

import re

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; base-uri 'none'"
)
BACK = (
    '<a href="index.html" style="position:fixed;left:16px;bottom:16px;z-index:1;padding:8px 14px;'
    "border-radius:99px;background:#0a66c2;color:#fff;font:600 14px system-ui,sans-serif;"
    'text-decoration:none">← Overview</a>'
)


def mended(page: str) -> str:
    """The page without its requests: icons before Angular fills them in, a favicon, a tracker.

    The policy makes sure of it, whatever a later dbt adds.
    """
    page = page.replace('<use xlink:href="{{', '<use ng-attr-href="{{')
    page = re.sub(r'<link rel="canonical"[^>]*>', "", page, count=1)
    page = re.sub(
        r'<link rel="shortcut icon"[^>]*>', '<link rel="icon" href="data:,">', page, count=1
    )
    page = page.replace("<title>dbt Docs</title>", "<title>Lineage · fortytwo-mirror</title>", 1)
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    page = page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{policy}', 1)
    head, end, rest = page.rpartition("</body>")
    return f"{head}{BACK}{end}{rest}"
