"""Fixtures: the whole site, made once from an invented month of runs; a browser to look at it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extract.tables.ownership import OPS_FILES
from tests.helpers import administer, run_module, sql

if TYPE_CHECKING:  # the import takes a second, in each pytest process
    from playwright.sync_api import Browser, BrowserContext, Page

    Look = Callable[..., Page]

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)


@pytest.fixture
def ops(database: dict[str, str]) -> dict[str, str]:
    for file in OPS_FILES:
        administer(database, file.read_text())
    return database


def add_run(status: str, hours_ago: float, **columns: object) -> None:
    ended = datetime.now(UTC) - timedelta(hours=hours_ago)
    values = {
        "run_id": f"{hours_ago}",
        "mode": "full",
        "status": status,
        "started_at": ended,
        "finished_at": ended,
        "published_at": ended if status == "published" else None,
        **columns,
    }
    places = ", ".join(["%s"] * len(values))
    sql(f"insert into ops.runs ({', '.join(values)}) values ({places})", *values.values())


@pytest.fixture(scope="session")
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Path:
    """The site as `make docs` makes it; made once, whichever pytest process comes first."""
    base = tmp_path_factory.getbasetemp()
    directory = (base if worker_id == "master" else base.parent) / "site"
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "status.html").exists():
            make_site(directory, request.getfixturevalue("postgres_server"))
    return directory


@pytest.fixture(scope="session")
def manifest(site: Path) -> Path:
    """What dbt knew of the project when it made the site."""
    return local_of(site) / "dbt" / "docs" / "manifest.json"


def local_of(site: Path) -> Path:
    return site.with_name("site-local")


def make_site(directory: Path, server: dict[str, str]) -> None:
    administer(server, "create database site")
    own = {**server, "PGDATABASE": "site"}
    invented = (Path(__file__).with_name(name) for name in ("history.sql", "reports.sql"))
    for file in (*OPS_FILES, *invented):
        administer(own, file.read_text())
    variables = {
        **own,
        "FORTYTWO_ENV_FILE": os.devnull,
        "FORTYTWO_LOCAL": str(local_of(directory)),
        "FORTYTWO_SITE": str(directory),
    }
    made = run_module("ops", "docs", **variables)
    assert made.returncode == 0, made.stdout + made.stderr
    administer(server, "drop database site with (force)")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def look(browser: Browser, site: Path) -> Iterator[Callable[..., Page]]:
    """Open a page of the site from disk: `look("status.html", width=390, scheme="dark")`.

    At the end of the test no page may have said anything to the console, failed, or asked for
    anything but files and data of its own.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(name: str, *, width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("file:", "data:", "blob:"))
                else complaints.append(f"request: {request.url}")
            ),
        )
        page.goto((site / name.partition("#")[0]).as_uri() + "".join(name.partition("#")[1:]))
        if name.startswith(("status", "reports")):
            page.wait_for_selector("html[data-drawn]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
