"""`dbt build` at the network's size, beside its own SQL in psql; and whole live passes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.extraction import EXTRACT
from benchmarks.measure import PYTHON, ROOT, CommandFailed, Cost, run
from benchmarks.place import Place, control
from benchmarks.table import Line
from extract.embedded import binary
from extract.programs import DBT

BUILD = [*DBT, "--quiet", "build"]
LIVE = [PYTHON, "-m", "ops", "sync", "--mode", "live"]
FULL_SECONDS, SMALL_SECONDS, NOTHING_SECONDS, CHANGED_SECONDS = 45, 20, 10, 40
OF_WITHOUT = 1.5  # what the other streams' tables may make of a build
EARLIER = re.compile(r"relations, nothing new\s*\|\s*([\d.]+)")
FURTHER_TABLES = ROOT / "benchmarks" / "further_tables.sql"

# 2.6 million rows of the people who are there, as a backfill would have left them
FILL = """
create temporary table students as
    select id, row_number() over (order by id) as number from raw.users limit {students};
create temporary table works as
    select id, row_number() over (order by id) as number from raw.projects;
create temporary table rewards as
    select id, row_number() over (order by id) as number from raw.achievements;
insert into raw.projects_users (
    id, user_id, project_id, occurrence, final_mark, status, validated, current_team_id,
    current_team, cursus_ids, marked_at, marked, created_at, updated_at, _dlt_load_id
)
select
    10000000 + students.number * 43 + n, students.id, works.id, 0, 100, 'finished', true,
    students.number * 43 + n,
    jsonb_build_object('id', students.number * 43 + n, 'name', 'team', 'closed?', true),
    '[21]', '2024-05-01', true, '2024-01-01', '2024-05-01', '1'
from students cross join generate_series(1, 42) as n
inner join works on works.number = 1 + (students.number * 7 + n) % 500;
insert into raw.achievements_users (
    id, achievement_id, user_id, nbr_of_success, url, created_at, updated_at, _dlt_load_id
)
select
    10000000 + students.number * 26 + n, rewards.id, students.id, 1, 'https://api.example/v2/a',
    '2024-01-01', '2024-05-01', '1'
from students cross join generate_series(1, 25) as n
inner join rewards on rewards.number = 1 + (students.number * 7 + n) % 1000;
vacuum (analyze) raw.projects_users, raw.achievements_users;
"""


def small(at: Place) -> list[Line]:
    """The network without the big relations: first build, and again with nothing new."""
    run(EXTRACT, at.environment)
    first, _ = run(BUILD, at.environment)
    again, _ = run(BUILD, at.environment)
    floor, models = psql(at)
    return [
        Line(f"its {models} tables and tests in psql", floor),
        _build("dbt build, no relations, first publication", first, floor, SMALL_SECONDS),
        _build("dbt build, no relations, nothing new", again, floor, SMALL_SECONDS),
    ]


def large(at: Place, beside: Path | None = None) -> list[Line]:
    """The same with 2.6 million relation rows.

    Args:
        beside: The checkout of an earlier version, installed: its build of the relations runs too.
    """
    fill(at)
    first, _ = run(BUILD, at.environment)
    _settle(at)
    again, _ = run(BUILD, at.environment)
    floor, models = psql(at)
    at.execute(FURTHER_TABLES.read_text())
    with_all, _ = run(BUILD, at.environment)
    _settle(at)
    with_all_again, _ = run(BUILD, at.environment)
    share = with_all_again.wall / again.wall
    earlier = [_beside(beside, with_all_again)] if beside else []
    rows = int(
        at.value(
            "select (select count(*) from mirror.projects_users)"
            " + (select count(*) from mirror.achievements_users)"
        )
    )
    return [
        Line(f"its {models} tables and tests in psql", floor, rows),
        _build(f"dbt build, {rows:,} relations, first publication", first, floor, FULL_SECONDS),
        _build(f"dbt build, {rows:,} relations, nothing new", again, floor, FULL_SECONDS),
        Line("dbt build, all streams' tables filled, first publication of theirs", with_all),
        Line(
            "dbt build, all streams' tables filled, nothing new",
            with_all_again,
            of=f"{share:.2f} × without them",
            target=f"≤ {OF_WITHOUT} ×",
            met=share <= OF_WITHOUT,
        ),
        *earlier,
    ]


def _beside(checkout: Path, cost: Cost) -> Line:
    """The build of all streams' tables beside an earlier version's, of the relations it knew.

    Raises:
        CommandFailed: The benchmark of that version has no such line.
    """
    command = [checkout / ".venv/bin/python", "-m", "benchmarks", "build", "--no-peers"]
    done = subprocess.run(command, cwd=checkout, stdout=subprocess.PIPE, text=True, check=False)
    found = EARLIER.search(done.stdout)
    if not found:
        raise CommandFailed(f"The benchmark in {checkout} has no line of the relations' build.")
    share = cost.wall / float(found[1])
    return Line(
        f"the same beside the relations alone in {checkout.name}: {found[1]} s",
        None,
        of=f"{share:.2f} ×",
        target=f"≤ {OF_WITHOUT} ×",
        met=share <= OF_WITHOUT,
    )


def fill(at: Place, students: int | None = None) -> None:
    """Give so many students of `raw`, or all, the relations that a backfill would have read."""
    script = FILL.replace("{students}", str(students or "all"))
    connection = at.connect()
    with connection.cursor() as cursor:
        for statement in filter(None, map(str.strip, script.split(";"))):
            cursor.execute(statement)
    connection.close()


def prepare(at: Place) -> None:
    """A published mirror of the whole network with its relations, for `live`."""
    run(EXTRACT, at.environment)
    fill(at)
    run(BUILD, at.environment)


def live(at: Place, address: str) -> list[Line]:
    """`make sync MODE=live` from the shell to its exit: nothing new, then 400 changed students."""
    run(LIVE, at.environment)  # the first one may still bring what the full pass overlapped
    nothing, _ = run(LIVE, at.environment)
    control(address, "advance", {"edit_with_updated_at": 400, "seed": 7})
    changed, _ = run(LIVE, at.environment)
    calls = at.value("select calls from ops.runs where mode = 'live' order by started_at desc")
    return [
        Line(
            "sync --mode live, nothing new",
            nothing,
            target=f"≤ {NOTHING_SECONDS} s",
            met=nothing.wall <= NOTHING_SECONDS,
        ),
        Line(
            "sync --mode live, 400 changed students",
            changed,
            of=f"{calls} calls",
            target=f"≤ {CHANGED_SECONDS} s",
            met=changed.wall <= CHANGED_SECONDS,
        ),
    ]


def psql(at: Place) -> tuple[Cost, int]:
    """The floor of a build: its tables as `create table as` and its tests, one after another."""
    manifest = json.loads((at.local / "dbt" / "target" / "manifest.json").read_text())
    script = ["begin; drop schema if exists floor cascade; create schema floor;"]
    tables = 0
    for node in _in_order(manifest):
        compiled = node.get("compiled_code")
        if not compiled or node["resource_type"] not in ("model", "test"):
            continue
        if node["resource_type"] == "test":
            script.append(f"select count(*) from (\n{compiled}\n) as failures;")
        elif node["config"]["materialized"] == "table":
            script.append(f"create unlogged table floor.{node['name']} as (\n{compiled}\n);")
        else:
            continue
        tables += 1
    script.append("rollback;")
    path = at.local / "floor.sql"
    path.write_text("\n".join(script))
    program = os.fspath(binary("psql"))
    command = [program, "-q", "-v", "ON_ERROR_STOP=1", "-d", at.address(), "-f", str(path)]
    cost, _ = run(command, at.environment)
    return cost, tables


def _in_order(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Models and tests, each after what it stands on."""
    nodes: dict[str, dict[str, Any]] = manifest["nodes"]
    done: dict[str, dict[str, Any]] = {}

    def visit(name: str) -> None:
        if name in nodes and name not in done:
            for other in nodes[name]["depends_on"]["nodes"]:
                visit(other)
            done[name] = nodes[name]

    for name in nodes:
        visit(name)
    return list(done.values())


def _settle(at: Place) -> None:
    """Have the server do now what it does in the minutes after so many new rows."""
    at.execute("vacuum (analyze)")
    at.execute("checkpoint")


def _build(what: str, cost: Cost, floor: Cost, limit: int) -> Line:
    return Line(
        what,
        cost,
        of=f"{cost.wall / floor.wall:.1f} × psql",
        target=f"≤ {limit} s",
        met=cost.wall <= limit,
    )
