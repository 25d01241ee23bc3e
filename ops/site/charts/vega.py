"""Vega, Vega-Lite and vega-embed as one script to put into a page: nothing is ever downloaded."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

from extract.base.settings import local_directory


def bundle() -> str:
    """The script. Kept in a file once made: making it takes a second, reading it none."""
    file = local_directory() / "cache" / f"vega-{version('vl-convert-python')}.js"
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        pass
    import vl_convert  # 80 MB of it, needed once per version

    # "</script>" in a string of the library's would end the page's own script element
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace(
        "</script", r"<\/script"
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, script)
    return script


def write_whole(file: Path, text: str, mode: int = 0o600) -> None:
    """Write a file so that a reader sees the old text or the new, never a part."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.chmod(mode)
    part.replace(file)
