"""Templates to finished pages: one file each, with style, script and data inside."""

import re
import tomllib
from base64 import b64encode
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from math import floor
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from extract.base.folders import own_folder, write_whole
from extract.base.settings import ROOT, local_directory, path_of

TEMPLATES = Path(__file__).with_name("templates")
PAGES = {
    "index.html": "Overview",
    "reports.html": "Reports",
    "status.html": "Status",
    "incidents.html": "Incidents",
    "data-dictionary.html": "Dictionary",
    "handbook.html": "Handbook",
    "lineage.html": "Lineage",
}


def site_directory() -> Path:
    """Where the pages go: FORTYTWO_SITE; else `site`, in FORTYTWO_LOCAL where that is set.

    Raises:
        UsageError: FORTYTWO_SITE holds somebody else's files.
    """
    path = path_of("FORTYTWO_SITE", path_of("FORTYTWO_LOCAL", ROOT) / "site")
    if path.is_relative_to(ROOT) or path.is_relative_to(local_directory()):
        return path
    return own_folder("FORTYTWO_SITE", path, 0o755, (("status.html", "fortytwo-mirror"),))


def make_page(site: Path, page: str, *beside: str, file: str = "", **values: Any) -> Path:
    """Put a page into the site, from the template of its name; returns its path.

    Args:
        site: Where it goes.
        page: One of PAGES.
        beside: Others that are made with it, so that it may link to them.
        file: Its name, where that is not the page's.
        values: What the template needs.
    """
    pages = [name for name in PAGES if name in (page, *beside) or (site / name).exists()]
    text = render(f"{page}.j2", page=page, pages=pages, **values)
    return write_page(site, file or page, text)


def render(template: str, **values: Any) -> str:
    """The finished text of a template; in pages everything from `values` is escaped."""
    text = _environment().get_template(template).render(now=datetime.now(UTC), **values)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digests = (b64encode(sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return text.replace("script-src SCRIPTS;", f"script-src {allowed};", 1)  # and no other


def macros(template: str) -> Any:
    """The macros of a template, to be called from Python."""
    return _environment().get_template(template).module


def write_page(directory: Path, name: str, text: str) -> Path:
    """Put a page into the site; a reader sees the old one or the new one, whole.

    A web server of another user may read it, though what cron and systemd start keeps its files to
    itself: no page shows a person.
    """
    if not directory.is_dir():
        directory.mkdir(parents=True)
        directory.chmod(0o755)
    write_whole(directory / name, text)
    return directory / name


@cache
def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(("html.j2", "svg.j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    env.globals["version"] = project["version"]
    # for the data of charts and reports: names as people write them, no blanks
    env.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    env.filters.update(
        number=lambda value: f"{value:,}",
        cell=_cell,
        time=_time,
        minute=_minute,
        duration=_duration,
        percent=_percent,
        sentence=_sentence,
        code=_code,
    )
    env.globals["source"] = _source
    env.globals["titles"] = PAGES
    return env


def _source(name: str) -> Markup:
    """A stylesheet or script of ours, to stand in the page as it is."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _time(moment: datetime | None) -> Markup:
    """A moment that the page's script turns into "12 minutes ago"."""
    if moment is None:
        return Markup("never")
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="seconds"), f"{utc:%Y-%m-%d %H:%M} UTC"
    )


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _cell(value: Any) -> str:
    """What stands in a table: a time to the minute, a fraction to a tenth, thousands apart."""
    if isinstance(value, datetime):
        return _minute(value)
    if isinstance(value, float):
        return f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 120:
        return f"{float(seconds):.0f} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _percent(share: float) -> str:
    """Rounded down, so that only all is 100 %."""
    return f"{floor(share * 10000) / 100:g} %"


def _code(text: str) -> Markup:
    """Text whose `words in backticks` are code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _sentence(text: str | None) -> str:
    """The first sentence; messages say the cause first."""
    return (text or "").split(". ")[0].rstrip(".")[:200]
