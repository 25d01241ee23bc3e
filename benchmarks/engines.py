"""`dbt build` on PostgreSQL, DuckDB and Apache Spark as the relations grow, over the same rows."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

from benchmarks.building import FURTHER_TABLES, fill
from benchmarks.extraction import EXTRACT
from benchmarks.measure import PYTHON, Cost, run, run_beside
from benchmarks.place import Place, place, sandbox
from benchmarks.table import Line
from extract import embedded
from extract.programs import DBT

ROWS_A_STUDENT = 67  # that `fill` gives; all students of the largest size are always there
COPY = [PYTHON, "-m", "extract", "copy", "--destination"]
# what relations go through, their tests too: the same on each engine, and nothing is published
BUILD = [*DBT, "--quiet", "build", "--select", "+projects_users", "+achievements_users"]
BUILD += ["--indirect-selection", "cautious", "--exclude-resource-type", "unit_test", "--target"]
# as wide as the API sends them
TEAMS = """
update raw.projects_users set current_team = current_team || jsonb_build_object(
    'name', login || ' group', 'url', 'https://api.example/v2/teams/' || current_team_id,
    'final_mark', final_mark, 'project_id', project_id, 'created_at', created_at,
    'updated_at', updated_at, 'status', status, 'terminating_at', null,
    'users', jsonb_build_array(jsonb_build_object(
        'id', user_id, 'login', login, 'url', 'https://api.example/v2/users/' || login,
        'leader', true, 'occurrence', 0, 'validated', true, 'projects_user_id', id
    )),
    'locked?', true, 'validated?', validated, 'repo_uuid', 'intra-uuid-' || md5(id::text),
    'repo_url', 'git@vogsphere.example:vogsphere/intra-uuid-' || md5(id::text) || '-' || login,
    'locked_at', marked_at, 'closed_at', marked_at, 'project_session_id', project_id,
    'project_gitlab_path', 'pedago_world/42-cursus/inner-circle/' || project_id
)
from (select id as student, login from raw.users) as students where user_id = student;
vacuum full raw.projects_users;
vacuum analyze raw.projects_users;
"""
SHARE_OF_WHOLE = 0.05
# of every table with so many rows
CHANGED_FROM = 10_000
CHANGES = {
    "1 % changed": """
update {table} set _dlt_load_id = '2' where id % 125 = 0;
insert into {table}
    (select (json_populate_record(r, json_build_object('id', r.id + 2000000000))).*
    from {table} as r where r.id % 500 = 2);
""",
    "1 % changed, a quarter of it deleted": """
update {table} set _dlt_load_id = '2' where id % 200 = 0;
delete from {table} where id % 400 = 1;
insert into {table}
    (select (json_populate_record(r, json_build_object('id', r.id + 1000000000))).*
    from {table} as r where r.id % 400 = 2);
""",
}
# dbt's target, by what its copy goes to
ENGINES = {"PostgreSQL": ("mirror", ""), "DuckDB": ("duckdb", "duckdb")}
SPARK = {"Spark": ("spark", "filesystem")}


def grow(factors: list[int], rows: int) -> list[Line]:
    """Relations of these multiples of `rows`, copied and built on each engine that is installed."""
    missing = _missing_for_spark()
    engines = ENGINES if missing else ENGINES | SPARK
    lines: list[Line] = []
    firsts: dict[str, tuple[Cost, int]] = {}
    with place() as at:
        with sandbox(at, rows * max(factors) // ROWS_A_STUDENT + 1):
            run(EXTRACT, at.environment)
        for target, _ in engines.values():
            run([*DBT, "--quiet", "parse", "--target", target], at.environment)
        for factor in factors:
            at.execute("truncate raw.projects_users, raw.achievements_users")
            _fill(at, rows * factor // ROWS_A_STUDENT)
            for engine, (target, destination) in engines.items():
                commands = {"copy": [*COPY, destination]} if destination else {}
                for what, command in {**commands, "dbt build": [*BUILD, target]}.items():
                    cost = _run(command, at)
                    first = firsts.setdefault(f"{engine} {what}", (cost, rows * factor))
                    name = f"{engine}, {what}, {rows * factor:,} relations"
                    beside = _by_row(cost, rows * factor, *first)
                    lines.append(Line(name, cost, rows * factor, beside))
    if missing:
        lines.append(Line("Spark", None, of=f"left out: {missing}, see docs/scale.md"))
    return sorted(lines, key=lambda line: line.what.split(", ")[:2])


def _fill(at: Place, students: int | None = None) -> None:
    fill(at, students)
    for statement in filter(None, map(str.strip, TEAMS.split(";"))):
        at.execute(statement)


def _missing_for_spark() -> str:
    if not shutil.which("java"):
        return "no Java"
    packages = ("pyspark", "dbt.adapters.spark")
    return ", ".join(f"no {name}" for name in packages if not find_spec(name))


def _run(command: list[str], at: Place) -> Cost:
    server = embedded.status(at.local).process_id
    assert server
    return run_beside(server, command, at.environment)


def _by_row(cost: Cost, rows: int, first: Cost, first_rows: int) -> str:
    """Processor seconds and memory a row, and what each further million rows has taken."""
    text = f"{1e6 * cost.cpu / rows:.0f} µs CPU, {1024 * cost.mebibytes / rows:.2f} KiB a row"
    if rows == first_rows:
        return text
    millions = (rows - first_rows) / 1e6
    return (
        f"{text}; a million more: {(cost.cpu - first.cpu) / millions:.1f} s CPU, "
        f"{(cost.mebibytes - first.mebibytes) / millions:.0f} MiB"
    )


def copies(at: Place) -> list[Line]:
    """Copies in files, from the shell to the exit: all of it, nothing new, 1 % changed."""
    _fill(at)
    at.execute(FURTHER_TABLES.read_text())
    at.execute("vacuum analyze")
    sizes = {
        table: int(at.value(f"select count(*) from raw.{table}"))
        for (table,) in at.rows("select tablename from pg_tables where schemaname = 'raw'")
    }
    people = [f"raw.{table}" for table, rows in sizes.items() if rows >= CHANGED_FROM]
    lines: list[Line] = []
    whole: tuple[Cost, int] | None = None
    for what, change in {"whole": "", "nothing new": "", **CHANGES}.items():
        for table in people if change else ():
            at.execute(change.format(table=table))
        before = _bytes(at)
        cost, _ = run([*COPY, "filesystem"], at.environment)
        written = _bytes(at) - before
        whole = whole or (cost, written)
        share, of_bytes = cost.wall / whole[0].wall, written / whole[1]
        judged = what.startswith("1 %")
        lines.append(
            Line(
                f"{sum(sizes.values()):,} rows, {what}",
                cost,
                of=f"{written / 1e6:.1f} MB; {share:.1%} of whole's time, {of_bytes:.1%} of bytes",
                target=f"≤ {SHARE_OF_WHOLE:.0%} of both" if judged else "",
                met=max(share, of_bytes) <= SHARE_OF_WHOLE if judged else None,
            )
        )
    return lines


def _bytes(at: Place) -> int:
    return sum(file.stat().st_size for file in (at.local / "lake").rglob("*.parquet"))
