"""Vega, Vega-Lite and vega-embed as one script to put into a page: nothing is ever downloaded."""

from contextlib import suppress
from importlib.metadata import version

from extract.base.folders import write_whole
from extract.base.settings import ROOT


def bundle() -> str:
    """The script. The installation keeps it beside the library: making it takes a second or two."""
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
