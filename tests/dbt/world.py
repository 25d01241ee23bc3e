"""A raw schema by the extraction's own contract, a dozen rows in it, and dbt as a user calls it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from extract.base import database
from extract.base.query import execute
from extract.load.raw import Raw
from extract.tables import TABLES
from extract.tables.ownership import OPS_FILES, mark
from tests.helpers import ROOT
from tests.publication.lab import Lab, Outcome
from tests.publication.world import table

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
    with database.session("test") as connection:
        for path in OPS_FILES:
            execute(connection, path.read_text())
        execute(connection, "create schema raw")
        execute(
            connection,
            "create table raw._dlt_loads (load_id text, status bigint, inserted_at timestamptz)",
        )
        for contract in TABLES.values():
            execute(connection, table(contract))
            rows = json.dumps((NETWORK | others).get(contract.name, []))
            execute(
                connection,
                f"insert into raw.{contract.name} "
                f"select * from json_populate_recordset(null::raw.{contract.name}, %s)",
                (rows,),
            )
        mark(connection, "raw", "ops")
        Raw(connection).record_deletions()


def dbt(*arguments: str, project: Path = ROOT) -> Outcome:
    """Run dbt in this process, with the target folder of the fixture `dbt_target`."""
    server = {name: value for name, value in os.environ.items() if name.startswith("PG")}
    lab = Lab(server, Path(os.environ["DBT_TARGET_PATH"]))
    return lab.dbt("--warn-error", *arguments, project=project)
