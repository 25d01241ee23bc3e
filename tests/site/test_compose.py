"""docker-compose.yml, Dockerfile and what they run; no container engine is needed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from extract.base.errors import MirrorError
from extract.base.lock import run_lock
from extract.base.logs import SECRETS
from ops.schedule import heartbeat, scheduler
from ops.schedule.schedule import Schedule
from ops.site.pages import render
from tests.helpers import ROOT, run_module, run_program

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]


def test_there_is_a_database_a_scheduler_and_a_site() -> None:
    assert SERVICES.keys() == {"postgres", "scheduler", "site"}
    assert "pg_isready" in " ".join(SERVICES["postgres"]["healthcheck"]["test"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_restarts_has_a_health_check_and_is_not_on_the_network(name: str) -> None:
    service = SERVICES[name]

    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "privileged" not in service


@pytest.mark.parametrize("name", ["scheduler", "site"])
def test_our_containers_may_write_only_to_their_volumes(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_file_is_what_the_compose_specification_says(tmp_path: Path) -> None:
    def checked(path: Path) -> int:
        schema = ("--builtin-schema", "vendor.compose-spec")
        return run_module("check_jsonschema", *schema, str(path)).returncode

    assert checked(ROOT / "docker-compose.yml") == 0
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text((ROOT / "docker-compose.yml").read_text().replace("mem_limit", "memory_limit"))
    assert checked(wrong) != 0


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_fills_neither_disk_nor_memory_and_its_image_is_pinned(name: str) -> None:
    service = SERVICES[name]

    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    if "build" not in service:
        assert re.search(r":\d+\.\d+", service["image"]), "a minor version, not whatever is new"


def test_the_site_cannot_reach_the_database() -> None:
    assert not set(SERVICES["site"]["networks"]) & set(SERVICES["postgres"]["networks"])


def test_no_setting_of_the_host_reaches_the_container() -> None:
    example = (ROOT / ".env.example").read_text()
    paths = set(
        re.findall(
            r"^(FORTYTWO_LOCAL|FORTYTWO_SITE|FORTYTWO_DUCKDB|BACKUP_DIRECTORY"
            r"|BACKUP_AGE_IDENTITY|METRICS_FILE|PG[A-Z]+)=",
            example,
            re.M,
        )
    )
    given = SERVICES["scheduler"]["environment"]

    assert paths - {"PGPASSWORD"} <= given.keys()
    for name in ("FORTYTWO_LOCAL", "FORTYTWO_SITE", "BACKUP_DIRECTORY"):
        assert given[name].startswith("/app/")


def test_the_web_server_lets_no_other_server_and_no_frame_in() -> None:
    configuration = (ROOT / "ops" / "nginx.conf").read_text()
    policy = re.search(r'Content-Security-Policy "([^"]+)" always', configuration)

    assert policy and "frame-ancestors 'none'" in policy[1]
    assert "http" not in policy[1] and "*" not in policy[1]


def test_a_page_runs_the_scripts_that_it_came_with_and_no_others() -> None:
    page = render("base.html.j2", pages=[], page="")

    (allowed,) = re.findall(r"script-src ([^;]+);", page)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    assert allowed.split() == [f"'sha256-{digest}'" for digest in digests]
    assert scripts


def test_no_secret_is_in_a_container_definition() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|SECRET", name) or name.endswith("_FILE"), value
    assert COMPOSE["secrets"] == {"database_password": {"environment": "PGPASSWORD"}}
    password = SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD_FILE"]
    assert password == "/run/secrets/database_password"


def test_every_volume_is_declared_and_every_mounted_file_exists() -> None:
    for service in SERVICES.values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).is_file(), volume


def test_the_image_runs_as_a_normal_user_and_its_files_exist() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    instructions = [line.split(maxsplit=1) for line in lines if re.match(r"[A-Z]+ ", line)]

    users = [rest for word, rest in instructions if word == "USER"]
    images = [rest for word, rest in instructions if word == "FROM"]
    assert users == ["10001"]
    assert all(image.startswith("python:3.13-slim") for image in images)
    assert os.access(ROOT / "ops" / "container.sh", os.X_OK)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".env", ".git", ".local", ".venv", "secrets"} <= set(ignored)


def test_the_entry_point_takes_secrets_from_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from the file\n")
    show = tmp_path / "python"
    show.write_text('#!/bin/sh\nprintf "%s|" "$PGPASSWORD" "${PGPASSWORD_FILE-unset}" "$@"\n')
    show.chmod(0o755)

    def enter(file: Path) -> subprocess.CompletedProcess[str]:
        password = {"PGPASSWORD": "from .env", "PGPASSWORD_FILE": str(file)}
        command = (ROOT / "ops" / "container.sh", "sync", "--mode", "live")
        return run_program(*command, bare=True, PYTHON=str(show), **password)

    assert enter(secret).stdout == "from the file|unset|-m|ops|sync|--mode|live|"
    missing = enter(tmp_path / "missing")
    assert missing.returncode == 2 and "cannot be read" in missing.stderr


def test_every_secret_of_the_settings_may_come_from_a_file(tmp_path: Path) -> None:
    settings = re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    # BACKUP_AGE_IDENTITY is the path of a file already
    secrets = [name for name in settings if SECRETS.search(name) and "IDENTITY" not in name]
    (tmp_path / "secret").write_text("s3cret\n")
    show = tmp_path / "python"
    show.write_text(f"#!/bin/sh\nprintenv {' '.join(secrets)}\n")
    show.chmod(0o755)

    entered = subprocess.run(
        [ROOT / "ops" / "container.sh"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHON": str(show),
            **{f"{name}_FILE": str(tmp_path / "secret") for name in secrets},
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert entered.stdout.split() == ["s3cret"] * len(secrets)
    handbook = (ROOT / "docs" / "install.md").read_text()
    assert [name for name in secrets if f"`{name}_FILE`" not in handbook] == []


def test_a_scheduler_that_gives_no_sign_is_unhealthy(database: dict[str, str]) -> None:
    with pytest.raises(MirrorError, match="no sign of life"):
        scheduler.healthy()

    heartbeat.beat()
    with pytest.raises(MirrorError, match="Nothing is published yet"):
        scheduler.healthy()
    with run_lock("full", "run-1"):  # the first pass: no reason to be alarmed
        scheduler.healthy()
    old = datetime.now(UTC).timestamp() - 600
    os.utime(heartbeat.heartbeat(), (old, old))

    with pytest.raises(MirrorError, match="no sign of life"):
        scheduler.healthy()


def test_the_scheduler_runs_every_job_once_a_day_and_live_passes_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [datetime(2025, 12, 1, 0, 5, tzinfo=UTC)]
    end = clock[0] + timedelta(days=1)
    done: list[tuple[str, datetime]] = []

    def sleep(seconds: float) -> None:
        clock[0] += timedelta(seconds=max(seconds, 30))
        if clock[0] >= end:
            raise scheduler.Stop

    def job(name: str) -> None:
        done.append((name, clock[0]))
        clock[0] += timedelta(minutes=20 if name == "full" else 1)

    monkeypatch.setattr(scheduler.time, "sleep", sleep)
    monkeypatch.setattr(scheduler, "_job", job)
    monkeypatch.setattr(scheduler.signal, "signal", lambda *_: None)

    scheduler.run(Schedule(), now=lambda: clock[0])

    times = {name: [at for job, at in done if job == name] for name, _ in done}
    assert done[0] == ("live", datetime(2025, 12, 1, 0, 5, tzinfo=UTC))
    assert {name: len(at) for name, at in times.items()} == {
        "live": 96,
        "full": 1,
        "backup": 1,
        "check": 1,
    }  # those of 01:00 and 01:15 are one, at 01:20, when the full pass is done
    assert (
        timedelta()
        <= times["full"][0] - datetime(2025, 12, 1, 1, 0, tzinfo=UTC)
        < timedelta(minutes=2)
    )


def test_the_scheduler_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ops", "scheduler"],
        cwd=ROOT,
        env={**os.environ, "SCHEDULE_LIVE": "off", "SCHEDULE_FULL": "23:59"},
    )
    try:
        for _ in range(200):
            if heartbeat.heartbeat().exists():
                break
            scheduler.time.sleep(0.1)
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
