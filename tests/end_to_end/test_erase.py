"""People leave: erased everywhere, on record without their data, and never back."""

from __future__ import annotations

import io
import re

import pytest
import requests
from click.testing import Result
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from rich.console import Console
from typer.testing import CliRunner

from extract.base.query import execute
from extract.base.settings import local_directory
from extract.cli import app as extraction
from ops.cli import app
from ops.sync import sync


def everything(connection: Connection) -> str:
    """Every row of every table as text."""
    tables = execute(
        connection,
        "select schemaname, tablename from pg_tables "
        "where schemaname not in ('pg_catalog', 'information_schema')",
    )
    texts = []
    for schema, table in tables:
        query = sql.SQL("select t::text from {} as t").format(sql.Identifier(schema, table))
        texts += [f"{schema}.{table} {text}" for (text,) in execute(connection, query)]
    return "\n".join(texts)


def files() -> str:
    """Every file of this machine that the mirror wrote, the server's and backups apart."""
    found = [path for path in local_directory().rglob("*") if path.is_file()]
    return "\n".join(path.read_bytes().decode(errors="replace") for path in found)


def lines_with(names: tuple[str, ...], text: str) -> list[str]:
    return [line[:300] for line in text.splitlines() if any(name in line for name in names)]


def team_mate(connection: Connection) -> tuple[int, str, str]:
    """A student who is nested in somebody else's team: number, login, mail."""
    found = execute(
        connection,
        "select users.id, users.login, users.email from mirror.projects_users "
        "cross join lateral jsonb_array_elements(current_team -> 'users') as member "
        "inner join mirror.users on users.id = (member ->> 'id')::bigint "
        "where users.id <> projects_users.user_id and current_team ->> 'repo_url' "
        "like '%' || users.login order by users.id limit 1",
    )
    assert found, "nobody shares a team: the world proves nothing"
    user_id, login, email = found[0]
    return user_id, login, email


def make(*command: str) -> Result:
    return CliRunner().invoke(app, list(command))


def extract_and_build() -> None:
    """A full pass and a backfill, published by one build."""
    assert CliRunner().invoke(extraction, ["run"]).exit_code == 0
    sync("backfill", console=Console(file=io.StringIO()))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_people_are_erased_everywhere_and_stay_out(world: str, connection: Connection) -> None:
    extract_and_build()
    user_id, *names = team_mate(connection)
    login, email = names
    folder = local_directory() / "dbt" / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("dbt.log").write_text(f"DETAIL: Failing row contains ({login}, Jo)\nfine\n")
    assert login in everything(connection)
    before = everything(connection)

    result = make("erase", "--login", login)
    assert result.exit_code == 0, result.output
    assert f"{user_id}: {login}" in result.output
    assert "mirror.users" in result.output
    assert "CONFIRM=1" in result.output
    assert everything(connection) == before

    result = make("erase", "--login", login, "--confirm")
    assert result.exit_code == 0, result.output
    assert login not in result.output
    left = everything(connection)
    assert not lines_with((login, email), left)
    number = re.compile(rf"\b{user_id}\b")
    assert not [line[:300] for line in left.splitlines() if number.search(line)]
    assert not lines_with((login, email), files())
    assert "fine" in files()
    erased = execute(connection, "select people, reason from ops.erasures")
    assert erased == [(1, "on request")]
    checked = make("check")
    assert checked.exit_code == 0, checked.output

    # 42 still lists the erased one, and has anonymised another
    answer = requests.post(f"{world}/_sandbox/advance", json={"anonymise": 1}, timeout=30).json()
    (anonymised,) = answer["anonymise"]["users"]
    named = "select login, email from mirror.users where id = %s"
    [others] = execute(connection, named, (anonymised,))
    execute(connection, "update ops.relation_reads set stale = true")
    extract_and_build()
    left = everything(connection)
    assert not lines_with((login, email, *others), left)
    assert not lines_with((login, email), files())
    reasons = execute(connection, "select distinct reason from ops.erasures order by 1")
    assert reasons == [("anonymised by 42",), ("on request",)]
    assert execute(connection, named, (user_id,)) == []
    checked = make("check", "--sample", "100")
    assert checked.exit_code == 0, checked.output

    result = make("readmit", "--id", str(user_id))
    assert result.exit_code == 0, result.output
    assert CliRunner().invoke(extraction, ["run"]).exit_code == 0
    back = execute(connection, "select login from raw.users where id = %s", (user_id,))
    assert back == [(login,)]
