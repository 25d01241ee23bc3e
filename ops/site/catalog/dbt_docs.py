"""dbt's own documentation as `site/dbt-docs.html`, mended: no request, no console error, AA."""

import re

from ops.site.pages import TEMPLATES

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; base-uri 'none'"
)
# dbt's greys and turquoises on their backgrounds have 2.3 to 3.9 to 1; AA wants 4.5
READABLE = {"#8b969e": "#5a6670", r"#0bb\b": "#007a7a", "#00afc6": "#6fdbe8"}


def mended(page: str) -> str:
    """The page without its requests: icons before Angular fills them in, a favicon, a tracker.

    The policy makes sure of it, whatever a later dbt adds.
    """
    for pale, readable in READABLE.items():
        page = re.sub(pale, readable, page, flags=re.IGNORECASE)
    page = page.replace("minimum-scale=1,maximum-scale=1,", "", 1)
    page = page.replace('<use xlink:href="{{', '<use ng-attr-href="{{')
    page = re.sub(r'<link rel="canonical"[^>]*>', "", page, count=1)
    page = re.sub(
        r'<link rel="shortcut icon"[^>]*>', '<link rel="icon" href="data:,">', page, count=1
    )
    page = page.replace("<title>dbt Docs</title>", "<title>dbt docs · fortytwo-mirror</title>", 1)
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    page = page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{policy}', 1)
    head, end, rest = page.rpartition("</body>")
    ours = (TEMPLATES / "dbt-docs.html").read_text(encoding="utf-8")
    return f"{head}{ours}{end}{rest}"
