"""Charts by Vega-Lite: their specifications, and the libraries that draw them."""

import json
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from typing import Any

from extract.base.folders import write_whole
from extract.base.settings import ROOT
from ops.site.pages import render

Spec = dict[str, Any]


def specification(kind: str, /, **values: Any) -> Spec:
    """A chart from its template in templates/charts; colours are names of the page's theme."""
    found: Spec = json.loads(render(f"charts/{kind}.json.j2", **values))
    return found


def iso(moment: datetime) -> str:
    """A moment as Vega reads it."""
    return moment.isoformat(timespec="seconds")


def bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script to put into a page: nothing is downloaded.

    The installation keeps it beside the library: making it takes a second or two.
    """
    file = ROOT / ".venv" / f"vega-{version('vl-convert-python')}.js"
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        pass
    import vl_convert  # 80 MB of it, needed once per version

    # "</script>" in a string of the library's would end the page's own script element
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace(
        "</script", r"<\/script"
    )
    with suppress(OSError):  # another user's installation: made anew each time
        write_whole(file, script)
    return script
