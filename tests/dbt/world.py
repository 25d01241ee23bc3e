"""A raw schema by the extraction's own contract, a dozen rows in it, and dbt as a user calls it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from extract.load.raw import Raw
from extract.tables import TABLES, UNKNOWN_FIELDS
from extract.tables.ownership import OPS_FILES, mark
from tests.conftest import ROOT
from tests.publication.lab import Lab, Outcome
from tests.publication.world import SQL_TYPES

NETWORK: dict[str, list[dict[str, Any]]] = {
    "cursus": [{"id": 21, "name": "42cursus"}, {"id": 9, "name": "C Piscine"}],
    "campus": [
        {"id": 1, "name": "Paris", "active": True, "public": True, "users_count": 3},
        {"id": 2, "name": "Gone", "active": None, "public": True, "users_count": 500},
    ],
    "projects": [
        {
            "id": 1314,
            "name": "Libft",
            "cursus": [{"id": 21}],
            "campus": [{"id": 1}, {"id": 2}],
            "project_sessions": [{"id": 1, "campus_id": None}, {"id": 2, "campus_id": 2}],
        }
    ],
    "achievements": [{"id": 1, "name": "Welcome", "campus": ["Paris", "Gone", "Nowhere"]}],
    "coalitions": [{"id": 335, "name": "Analysts", "score": 10}],
    "blocs": [{"id": 5, "campus_id": 1, "cursus_id": 21, "coalitions": [{"id": 335}]}],
    "users": [
        {"id": 7, "login": "asample", "kind": "student", "alumni": False, "campus_id": 1},
        {"id": 8, "login": "bsample", "kind": "student", "alumni": True, "campus_id": 1},
    ],
    "cursus_users": [
        {"id": 1, "user_id": 7, "cursus_id": 21, "level": 5.43},
        {"id": 2, "user_id": 7, "cursus_id": 9, "level": 9.0},
    ],
    "projects_users": [
        {"id": 1, "user_id": 7, "project_id": 1314, "status": "finished"},
        {"id": 2, "user_id": 7, "project_id": 99, "status": "finished"},
    ],
    "achievements_users": [{"id": 1, "user_id": 7, "achievement_id": 1}],
    "coalitions_users": [
        {"id": 1, "user_id": 7, "coalition_id": 335},
        {"id": 2, "user_id": 7, "coalition_id": 404},
    ],
}


def create_raw(**others: list[dict[str, Any]]) -> None:
    """Create `raw` as the extraction would, with the network above or other rows, and `ops`."""
    for path in OPS_FILES:
        execute(path.read_text())
    execute("create schema raw")
    execute("create table raw._dlt_loads (load_id text, status bigint, inserted_at timestamptz)")
    for contract in TABLES.values():
        columns = [(column.name, SQL_TYPES[column.data_type]) for column in contract.loaded]
        execute(
            sql.SQL("create table raw.{} ({}, primary key ({}))").format(
                sql.Identifier(contract.name),
                sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_))
                    for name, type_ in [*columns, (UNKNOWN_FIELDS, "jsonb")]
                ),
                sql.SQL(", ").join(map(sql.Identifier, contract.primary_key)),
            )
        )
        execute(
            sql.SQL("insert into raw.{0} select * from json_populate_recordset(null::raw.{0}, {1})")
            .format(
                sql.Identifier(contract.name),
                sql.Literal(json.dumps((NETWORK | others).get(contract.name, []))),
            )
        )  # fmt: skip
    connection = psycopg2.connect("")
    with connection:
        mark(connection, "raw", "ops")
        Raw(connection).record_deletions()
    connection.close()


def execute(statement: str | sql.Composable) -> None:
    """Run a statement in the test's database and commit it."""
    connection = psycopg2.connect("")
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def query(statement: str) -> list[tuple[Any, ...]]:
    """The rows of a query in the test's database."""
    connection = psycopg2.connect("")
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()


def dbt(*arguments: str, project: Path = ROOT) -> Outcome:
    """Run dbt in this process, with the target folder of the fixture `dbt_target`."""
    server = {name: value for name, value in os.environ.items() if name.startswith("PG")}
    lab = Lab(server, Path(os.environ["DBT_TARGET_PATH"]))
    return lab.dbt("--warn-error", *arguments, project=project)
