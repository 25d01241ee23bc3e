"""Which server the mirror uses, and what it says when it cannot be used."""

from __future__ import annotations

import getpass
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from extract import embedded, programs
from extract.base import database, libpq
from extract.base.errors import MirrorError, MissingDatabase, UsageError
from extract.load.pipeline import Loader
from tests.helpers import api, embedded_server, run_module, run_program, set_variables, sql


def server(variables: dict[str, str]) -> dict[str, str]:
    """Those that lead to a server, without what every session has set."""
    return {k: v for k, v in variables.items() if k not in ("PGOPTIONS", "PGCLIENTENCODING")}


def test_with_no_variable_set_it_is_the_embedded_server(
    local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORTYTWO_LOCAL", str(local))

    assert database.uses_embedded_server()
    assert server(database.libpq_environment()) == {
        "PGHOST": str(local / "socket"),
        "PGPORT": "5432",
        "PGUSER": "fortytwo",
        "PGDATABASE": "fortytwo",
    }


def test_variables_that_name_no_server_leave_it_the_embedded_one(
    local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORTYTWO_LOCAL", str(local))
    for name in ("PGPASSFILE", "PGSSLMODE", "PGOPTIONS", "PGSERVICEFILE"):
        monkeypatch.setenv(name, "prefer" if name == "PGSSLMODE" else "")

    assert database.uses_embedded_server()


def test_connecting_starts_the_embedded_server(
    local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORTYTWO_LOCAL", str(local))

    connection = database.connect("fortytwo-mirror test")

    with connection, connection.cursor() as cursor:
        cursor.execute("select current_setting('application_name'), current_setting('timezone')")
        assert cursor.fetchone() == ("fortytwo-mirror test", "UTC")
    connection.close()


@pytest.mark.parametrize("name", database.VARIABLES)
def test_any_variable_that_names_a_server_means_one_of_the_users_own(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "services").write_text("[5433]\nhost=of-the-service\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv(name, "5433")

    assert not database.uses_embedded_server()
    values = database.libpq_environment()
    expected = {
        "PGHOST": values["PGHOST"],
        "PGPORT": "5432",
        "PGUSER": getpass.getuser(),
        "PGDATABASE": "5433" if name == "PGUSER" else getpass.getuser(),
    }
    if name == "PGHOSTADDR":
        expected["PGHOST"] = "5433"
    elif name == "PGSERVICE":
        expected["PGHOST"] = "of-the-service"
    else:
        expected[name] = "5433"
    assert server(values) == expected


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in database.VARIABLES:
        monkeypatch.setenv(name, "")

    assert database.uses_embedded_server()


def test_the_env_file_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").write_text("PGHOST=from-file\nPGUSER=from-file\nPGPASSWORD='p w'\n")
    monkeypatch.setenv("FORTYTWO_ENV_FILE", str(tmp_path / "env"))
    monkeypatch.setenv("PGUSER", "from-environment")

    assert server(database.libpq_environment()) == {
        "PGHOST": "from-file",
        "PGPORT": "5432",
        "PGUSER": "from-environment",
        "PGPASSWORD": "p w",
        "PGDATABASE": "from-environment",
    }


ODD = {
    "statement_timeout": "60s",
    "lock_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    "idle_session_timeout": "60s",
    "transaction_timeout": "60s",
    "search_path": "nowhere",
    "quote_all_identifiers": "on",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "client_encoding": "LATIN1",
    "TimeZone": "Asia/Tokyo",
    "DateStyle": "German",
    "IntervalStyle": "sql_standard",
    "bytea_output": "escape",
    "extra_float_digits": "-3",
}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("whose", ["role current_user", "database test_mirror"])
def test_what_a_role_or_database_sets_reaches_no_session_of_ours(
    whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    monkeypatch.setenv("PGDATESTYLE", "German")
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=5MB")
    shown = f"select name, setting from pg_settings where name in {('work_mem', *ODD)}"
    for name, value in ODD.items():
        sql(f"alter {whose} set {name} = '{value}'")
    try:
        with database.connect("test") as connection, connection.cursor() as cursor:
            cursor.execute(shown)
            ours = dict(cursor.fetchall())
        connection.close()
        with Loader()._pipeline.sql_client() as client:
            dlts = dict(client.execute_sql(shown) or [])
        psql = run_program(
            *(programs.program("psql"), "-XAtF=", "-c", shown), **database.libpq_environment()
        )
    finally:
        sql(f"alter {whose} reset all")

    assert ours.pop("work_mem") == "5120"
    assert ours == {
        "statement_timeout": "0",
        "lock_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "idle_session_timeout": "0",
        "transaction_timeout": "0",
        "search_path": "public",
        "quote_all_identifiers": "off",
        "standard_conforming_strings": "on",
        "array_nulls": "on",
        "transform_null_equals": "off",
        "default_transaction_isolation": "read committed",
        "default_transaction_deferrable": "off",
        "client_encoding": "UTF8",
        "TimeZone": "UTC",
        "DateStyle": "ISO, MDY",
        "IntervalStyle": "postgres",
        "bytea_output": "hex",
        "extra_float_digits": "1",
    }
    of_others = {**ours, "work_mem": "5120"}
    assert dict(line.split("=", 1) for line in psql.stdout.splitlines()) == of_others
    assert dlts == {**of_others, "search_path": dlts["search_path"]}
    assert "nowhere" not in dlts["search_path"]


def test_an_unreachable_server_is_named_with_the_fix_and_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGPASSWORD", "s3cret-word")

    with pytest.raises(MirrorError) as caught:
        database.connect("test")

    message = str(caught.value)
    assert "127.0.0.1 port 1 " in message
    assert "Connection refused" in message
    assert "PGHOST" in message
    assert "s3cret-word" not in message
    assert "\n" not in message
    assert caught.value.exit_status == 1


@pytest.mark.usefixtures("database")
def test_a_database_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATABASE", "nowhere")

    with pytest.raises(UsageError, match=r'database "nowhere" does not exist'):
        database.connect("test")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PGPORT", "five"),
        ("PGPORT", "5432,5433"),
        ("PGDATABASE", "it's"),
        ("PGPORT", "70000"),
        ("PGHOST", "postgresql://me:s3cret-word@host/db"),
        ("PGDATABASE", "postgresql://me:s3cret-word@host/db"),
        ("PGDATABASE", "host=db.example password=s3cret-word"),
    ],
)
def test_a_senseless_variable_is_wrong_usage(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(UsageError, match=name) as caught:
        database.connect("test")

    assert caught.value.exit_status == 2
    assert "s3cret-word" not in str(caught.value)


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def refuse(client: socket.socket, code: str, words: str) -> None:
    text = f"SFATAL\0C{code}\0M{words}\0\0"
    client.sendall(message(b"E", text.encode()))


def await_start(client: socket.socket) -> None:
    while client.recv(4096)[4:8] != (3 << 16).to_bytes(4, "big"):
        client.sendall(b"N")  # no encryption here


@pytest.fixture
def answer_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Has a function accept the sessions that the PG variables lead to, in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("PGHOST", "127.0.0.1")
        monkeypatch.setenv("PGPORT", str(listener.getsockname()[1]))

        def start(server: Callable[..., None], *arguments: object) -> None:
            threading.Thread(target=server, args=(listener, *arguments), daemon=True).start()

        yield start


def old_server(listener: socket.socket, refusals: int = 0) -> None:
    """Speak PostgreSQL's protocol up to the first query, as a server of version 14 would.

    The first sessions are refused as by a server that is still starting, somewhere in France.
    """
    for number in range(refusals + 1):
        client, _ = listener.accept()
        with client:
            await_start(client)
            if number < refusals:
                refuse(client, "57P03", "le système de bases de données se lance")
                continue
            client.sendall(message(b"R", bytes(4)))
            for parameter in (
                b"server_version\x0014.9\0",
                b"client_encoding\0UTF8\0",
                b"standard_conforming_strings\0on\0",
                b"DateStyle\0ISO, MDY\0",
            ):
                client.sendall(message(b"S", parameter))
            client.sendall(message(b"Z", b"I"))
            client.recv(4096)


@pytest.mark.parametrize("refusals", [0, 2])
def test_a_starting_server_is_waited_for_and_one_too_old_refused(
    refusals: int, answer_with: Callable[..., None]
) -> None:
    answer_with(old_server, refusals)

    with pytest.raises(MirrorError, match=r"is version 14; the mirror needs 15 or newer"):
        database.connect("test")


def refusing_server(listener: socket.socket, code: str, words: str) -> None:
    with suppress(OSError):  # the test is over
        while True:
            client, _ = listener.accept()
            with client:
                await_start(client)
                refuse(client, code, words)


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        ("3D000", "la base de données « test » n'existe pas", MissingDatabase),
        ("28000", "le rôle « test » n'existe pas", UsageError),
        ("28P01", "authentification par mot de passe échouée", UsageError),
        ("53300", "désolé, trop de clients sont déjà connectés", MirrorError),
    ],
)
def test_a_refusal_is_understood_in_any_language(
    code: str, words: str, kind: type[MirrorError], answer_with: Callable[..., None]
) -> None:
    answer_with(refusing_server, code, words)

    with pytest.raises(MirrorError, match=words) as refused:
        database.connect("test")

    assert type(refused.value) is kind


@pytest.fixture
def guarded(used: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a server that asks for the password `a b'c`; its PG variables are set."""
    embedded.start(used)
    set_variables(monkeypatch, embedded_server(used))
    sql("alter role fortytwo password 'a b''c'")
    rules = used / "postgres" / "pg_hba.conf"
    rules.write_text("local all all scram-sha-256\n")
    sql("select pg_reload_conf()")
    return used


def everybody_gets_in(tmp_path: Path) -> None:
    """Our own sessions, dlt's, those of psql and pg_dump, and dbt's."""
    database.connect("test").close()
    Loader()
    environment = {**database.libpq_environment(), "DBT_LOG_PATH": str(tmp_path)}
    for program, *arguments in (
        (programs.program("psql"), "-w", "-c", "select 1"),
        (programs.program("pg_dump"), "-w", "--schema-only"),
        (*programs.DBT, "debug", "--connection"),
    ):
        done = run_program(program, *arguments, **environment)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"


def test_a_password_in_a_pgpass_file_lets_everybody_in(
    guarded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no password supplied"):
        database.connect("test")
    (tmp_path / "pgpass").write_text("*:*:*:fortytwo:a b'c\n")
    (tmp_path / "pgpass").chmod(0o600)
    (tmp_path / "env").write_text("PGPASSFILE=~/pgpass\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FORTYTWO_ENV_FILE", str(tmp_path / "env"))

    everybody_gets_in(tmp_path)


def test_a_connection_service_lets_everybody_in(
    guarded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "services").write_text(
        f"[mirror]\nhost={guarded}/socket\nuser=fortytwo\ndbname=fortytwo\npassword=a b'c\n"
    )
    (tmp_path / "env").write_text(f"PGSERVICEFILE={tmp_path}/services\nPGSERVICE=mirror\n")
    monkeypatch.setenv("FORTYTWO_ENV_FILE", str(tmp_path / "env"))
    for name in embedded_server(guarded):
        monkeypatch.delenv(name)

    everybody_gets_in(tmp_path)


def test_a_service_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSERVICE", "nowhere")

    with pytest.raises(UsageError, match=r"nowhere.*Check PGSERVICE"):
        database.connect("test")


def test_a_service_with_options_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "services").write_text("[mirror]\nhost=h\noptions=-c geqo=off\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv("PGSERVICE", "mirror")

    with pytest.raises(UsageError, match="service mirror sets options"):
        database.connect("test")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PGREQUIREPEER", "nobody-here"),
        ("PGREQUIREAUTH", "password"),
        ("PGSSLNEGOTIATION", "direct"),
        ("PGGSSENCMODE", "require"),
        ("PGOPTIONS", "nonsense"),
    ],
)
def test_a_variable_that_keeps_the_embedded_server_out_of_reach_is_named(
    name: str, value: str, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORTYTWO_LOCAL", str(local))
    monkeypatch.setenv(name, value)

    with pytest.raises(UsageError, match=rf"Unset what .*: (\w+, )*{name}[,.]"):
        database.connect("test")


def test_a_variable_that_the_driver_does_not_know_is_refused(
    local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORTYTWO_LOCAL", str(local))  # whose server ends with the test
    monkeypatch.setattr(libpq, "NEWER", ("PGOFTOMORROW",))
    monkeypatch.setenv("PGOFTOMORROW", "1")

    with pytest.raises(UsageError, match="PGOFTOMORROW cannot be honoured"):
        database.connect("test")


def plain_server(listener: socket.socket, sessions: int) -> None:
    """Say that there is no encryption here, to each who asks for it."""
    for _ in range(sessions):
        client, _ = listener.accept()
        with client:
            while client.recv(4096):
                client.sendall(b"N")


def test_encryption_that_is_asked_for_in_the_env_file_is_insisted_on(
    answer_with: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(plain_server, 3)
    (tmp_path / "env").write_text("PGSSLMODE=require\n")
    monkeypatch.setenv("FORTYTWO_ENV_FILE", str(tmp_path / "env"))

    with pytest.raises(UsageError, match="server does not support SSL"):
        database.connect("test")
    with pytest.raises(Exception, match="server does not support SSL"):
        Loader()


@pytest.mark.slow
@pytest.mark.usefixtures("dbt_target")
def test_a_sync_a_backup_and_a_drill_succeed_whatever_the_role_sets(
    sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_variables(monkeypatch, api(sandbox))
    monkeypatch.setenv("FORTYTWO_SITE", str(tmp_path / "site"))
    for name, value in ODD.items():
        shortest = "20ms" if name.endswith("timeout") else value
        sql(f"alter role current_user set {name} = '{shortest}'")
    try:
        for command in ("sync", "backup", "restore-drill"):
            done = run_module("ops", command)
            assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    finally:
        sql("alter role current_user reset all")
