"""A database to publish in, dbt in this process, and the script dbt renders, to run at will."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from psycopg2.extensions import connection as Connection

from extract.base.query import execute
from tests.conftest import PUBLISHED
from tests.helpers import ROOT, connect


@dataclass(frozen=True)
class Outcome:
    """What a dbt command said and did."""

    success: bool
    output: str
    statuses: dict[str, str] = field(default_factory=dict)

    def failed(self) -> set[str]:
        """Names of the tests and models that did not pass."""
        return {name for name, status in self.statuses.items() if status in ("fail", "error")}


@dataclass(frozen=True)
class Lab:
    """A database, and dbt's target folder for it."""

    variables: Mapping[str, str]
    target: Path
    script: str = ""

    def connect(self, *, autocommit: bool = True) -> Connection:
        """A new connection."""
        connection = connect(self.variables)
        connection.autocommit = autocommit
        return connection

    def run(self, statements: str) -> None:
        """Run statements in a session of their own."""
        self.rows(statements)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with closing(self.connect()) as connection:
            return execute(connection, query)

    def of_users(self) -> list[tuple[str, str]]:
        """Tables of mirror with a foreign key to users, and its column."""
        return self.rows("""
            select child.relname, attname
            from pg_constraint
            inner join pg_class as child on conrelid = child.oid
            inner join pg_attribute on attrelid = child.oid and attnum = conkey[1]
            where contype = 'f' and confrelid = 'mirror.users'::regclass
        """)

    def value(self, query: str) -> Any:
        """The one value of a query."""
        [(value,)] = self.rows(query)
        return value

    def publish(self) -> None:
        """Run the script that dbt rendered, as the run `run-<n>` of this database's."""
        self.run(self.next_script())

    def next_script(self) -> str:
        """The script under a run id of its own."""
        [found] = re.findall(r"'build_id', '([^']+)'", self.script)
        run_id = uuid4().hex
        # Whoever tests has changed the candidates by hand: they count as built, not as compared.
        counts = " ".join(
            f"update ops.candidates set run_id = '{run_id}', compared_since = null, "
            f"rows = (select count(*) from marts.{table}) where table_name = '{table}';"
            for table in PUBLISHED
        )
        self.run(
            f"{counts} insert into ops.runs (run_id, mode, status) "
            f"values ('{run_id}', 'build', 'running')"
        )
        return self.script.replace(found, run_id)

    def state(self) -> dict[str, str]:
        """A fingerprint of every table of mirror."""
        return self._fingerprints("mirror")

    def candidate(self) -> dict[str, str]:
        """The same of every table of marts."""
        return self._fingerprints("marts")

    def _fingerprints(self, schema: str) -> dict[str, str]:
        # Neither the order of the rows nor that of the columns counts.
        each = (
            f"select '{table}', count(*)::text || ' ' || "
            f"coalesce(sum(hashtextextended(to_jsonb(t)::text, 0)), 0)::text "
            f"from {schema}.{table} as t"
            for table in PUBLISHED
        )
        return dict(self.rows(" union all ".join(each)))

    def writes(self) -> dict[str, tuple[int, int, int]]:
        """Rows ever inserted, updated and deleted in each table of mirror."""
        self.run("select pg_stat_force_next_flush()")
        found = self.rows(
            "select relname, n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables "
            "where schemaname = 'mirror'"
        )
        return {name: (inserted, updated, deleted) for name, inserted, updated, deleted in found}

    def dbt(self, *arguments: str, project: Path = ROOT, **environment: str) -> Outcome:
        """Run dbt in this process."""
        from dbt.cli.main import dbtRunner  # which takes seconds, in each pytest process

        ours = re.compile(r"PG|FORTYTWO_|DBT_|ALLOW_DELETES|MAX_DELETE|CHANGES_")
        clean = {name: value for name, value in os.environ.items() if not ours.match(name)}
        clean |= {
            **self.variables,
            "DBT_TARGET_PATH": str(self.target),
            "DBT_LOG_PATH": str(self.target),
            "DBT_USE_COLORS": "false",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            **environment,
        }
        output = StringIO()
        folders = ["--project-dir", str(project), "--profiles-dir", str(project)]
        if project != ROOT:
            # What dbt has read of the project helps it to read a copy, but not the reverse.
            own = project / "target"
            own.mkdir(exist_ok=True)
            shutil.copy(self.target / "partial_parse.msgpack", own)
            clean["DBT_TARGET_PATH"] = str(own)
        with patch.dict(os.environ, clean, clear=True), redirect_stdout(output):
            result = dbtRunner().invoke([*arguments, *folders])
        statuses = {}
        for entry in getattr(result.result, "results", None) or ():
            if node := getattr(entry, "node", None):
                statuses[node.name] = str(entry.status.value)
        return Outcome(result.success, output.getvalue(), statuses)

    def rendered(self) -> str:
        """The script by which dbt would publish now, for a database of any name."""
        printed = self.dbt("--quiet", "run-operation", "show_publication").output
        script = printed[printed.index("begin;") :]
        return script.replace(f'"{self.variables["PGDATABASE"]}".', "")
