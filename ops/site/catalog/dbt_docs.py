"""dbt's own documentation as `site/dbt-docs.html`, mended: no request, no console error, AA."""

import re

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; base-uri 'none'"
)
BACK = (
    '<a href="lineage.html" style="position:fixed;left:16px;bottom:16px;z-index:1;padding:8px 14px;'
    "border-radius:99px;background:#0a66c2;color:#fff;font:600 14px system-ui,sans-serif;"
    'text-decoration:none">← Lineage</a>'
)
# dbt's greys and turquoises on their backgrounds have 2.3 to 3.9 to 1; AA wants 4.5
READABLE = {"#8b969e": "#5a6670", r"#0bb\b": "#007a7a", "#00afc6": "#6fdbe8"}
# what dbt made for a mouse, for a keyboard too: its tree, its tabs, its scrolling parts, its graph
REACHABLE = """<script>
function reachable() {
  document.querySelectorAll("[ng-click]:not(button):not([href]):not([tabindex])").forEach(part => {
    part.tabIndex = 0;
    if (!part.querySelector("a, button, [ng-click]")) part.setAttribute("role", "button");
    part.addEventListener("keydown", event => {
      if (event.target === part && event.key === "Enter") { event.preventDefault(); part.click(); }
    });
  });
  document.querySelectorAll(":is(.app-scroll, .table-responsive, .detail-body):not([tabindex])")
    .forEach(part => { part.tabIndex = 0; });
  document.querySelectorAll("button[ng-click^=closeGraph]:not([aria-label])")
    .forEach(part => part.setAttribute("aria-label", "Close the graph"));
}
new MutationObserver(reachable).observe(document.body, {childList: true, subtree: true});
</script>"""


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
    return f"{head}{BACK}{REACHABLE}{end}{rest}"
