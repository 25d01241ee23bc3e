"""The raw contract: which fields of a 42 payload become which columns of `raw`, with which type.

Field names and types come from 42-api.md section 5 (the official documentation checked against
recorded answers). Three rules:

- a field that is not listed is kept in `unknown_fields` (jsonb) and reported once;
- a listed field that changed its type fails here, by name, before anything is loaded;
- nested copies of other resources (`user`, `project`, `cursus`) are reduced to their ids: the rows
  they copy have tables of their own and change at their own pace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

Row = dict[str, Any]
DataType = Literal["bigint", "text", "bool", "double", "timestamp", "json"]

ARROW_TYPES: dict[DataType, pa.DataType] = {
    "bigint": pa.int64(),
    "text": pa.string(),
    "bool": pa.bool_(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}
UNKNOWN_FIELDS = "unknown_fields"


@dataclass(frozen=True)
class Column:
    """One column of a raw table.

    Attributes:
        field: The API's own field name (`staff?`), when the column cannot carry it.
        required: The field must be in every row: a rule or a key needs it.
        not_null: The value must not be null either.
    """

    name: str
    data_type: DataType
    field: str
    required: bool = False
    not_null: bool = False


@dataclass(frozen=True)
class Contract:
    """The columns of one raw table, its primary key, and what happens to a row before.

    Attributes:
        prepare: Reduces nested copies to ids, in place.
        left_out: Fields that are known and deliberately not kept.
        derived: Optional columns that `prepare` makes; the payload has no such field.
    """

    table: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ("id",)
    prepare: Callable[[Row], None] | None = None
    left_out: frozenset[str] = frozenset()
    derived: frozenset[str] = frozenset()

    def schema(self) -> pa.Schema:
        """The fixed Arrow schema of the table, `unknown_fields` last."""
        fields = [pa.field(c.name, ARROW_TYPES[c.data_type]) for c in self.columns]
        return pa.schema([*fields, pa.field(UNKNOWN_FIELDS, pa.string())])

    def known_fields(self) -> frozenset[str]:
        """Every field that is no drift."""
        return frozenset(c.field for c in self.columns) | self.left_out


def _columns(text: str) -> tuple[Column, ...]:
    """Read columns from lines `type: name name! field?name …`.

    `name!` is required, `name!!` required and never null; `staff?` is the field `staff?` in the
    column `staff`.
    """
    columns = []
    for line in text.strip().splitlines():
        data_type, _, names = line.strip().partition(":")
        for word in names.split():
            not_null, required = word.endswith("!!"), word.endswith("!")
            name = word.rstrip("!")
            columns.append(
                Column(name.rstrip("?"), data_type, name, required, not_null)  # type: ignore[arg-type]
            )
    return tuple(columns)


def _nested_id(row: Row, nested: str, column: str) -> None:
    """Replace a nested copy by its id; a missing or odd copy leaves null for the rules to judge."""
    value = row.pop(nested, None)
    if row.get(column) is None:
        row[column] = value.get("id") if isinstance(value, dict) else None


def _prepare_project(row: Row) -> None:
    # users_count moves with every account of the campus and is no content of the project
    campuses = row.get("campus")
    if isinstance(campuses, list):
        for campus in campuses:
            if isinstance(campus, dict):
                campus.pop("users_count", None)


def _prepare_cursus_user(row: Row) -> None:
    _nested_id(row, "user", "user_id")
    _nested_id(row, "cursus", "cursus_id")


def _prepare_projects_user(row: Row) -> None:
    _nested_id(row, "user", "user_id")
    _nested_id(row, "project", "project_id")
    teams = row.pop("teams", None)
    current = row.get("current_team_id")
    row["current_team"] = None
    if current is not None and isinstance(teams, list):
        row["current_team"] = next(
            (t for t in teams if isinstance(t, dict) and t.get("id") == current), None
        )


def _prepare_bloc(row: Row) -> None:
    # the coalitions' scores have a table of their own; here they only say who belongs where
    coalitions = row.get("coalitions")
    if isinstance(coalitions, list):
        row["coalitions"] = [{"id": c.get("id")} for c in coalitions if isinstance(c, dict)]


CONTRACTS: dict[str, Contract] = {
    contract.table: contract
    for contract in (
        Contract(
            "cursus",
            _columns(
                """bigint: id!!
                timestamp: created_at
                text: name! slug kind"""
            ),
        ),
        Contract(
            "campus",
            _columns(
                """bigint: id!!
                text: name! time_zone
                json: language
                bigint: users_count! vogsphere_id
                text: country address zip city website facebook twitter
                bool: active! public!
                text: email_extension
                bool: default_hidden_phone
                json: endpoint"""
            ),
        ),
        Contract(
            "projects",
            _columns(
                """bigint: id!!
                text: name! slug!
                bigint: difficulty
                json: parent children attachments
                timestamp: created_at updated_at
                bool: exam
                bigint: git_id
                text: repository recommendation
                json: cursus! campus! videos project_sessions!"""
            ),
            prepare=_prepare_project,
        ),
        Contract(
            "achievements",
            _columns(
                """bigint: id!!
                text: name! description tier kind
                bool: visible
                text: image
                bigint: nbr_of_success
                text: users_url
                json: achievements campus! parent title"""
            ),
        ),
        Contract(
            "campus_achievements",
            _columns("bigint: campus_id!! achievement_id!!"),
            primary_key=("campus_id", "achievement_id"),
        ),
        Contract(
            "coalitions",
            _columns(
                """bigint: id!!
                text: name! slug image_url cover_url color
                bigint: score user_id"""
            ),
        ),
        Contract(
            "blocs",
            _columns(
                """bigint: id!! campus_id! cursus_id! squad_size
                timestamp: created_at updated_at
                json: coalitions!"""
            ),
            prepare=_prepare_bloc,
        ),
        Contract(
            "users",
            _columns(
                """bigint: id!!
                text: email login!! first_name last_name usual_full_name usual_first_name
                text: url phone displayname kind!!
                json: image
                bool: staff?
                bigint: correction_point
                text: pool_month pool_year location
                bigint: wallet
                timestamp: anonymize_date data_erasure_date created_at updated_at! alumnized_at
                bool: alumni?! active?
                bigint: campus_id!!"""
            ),
        ),
        Contract(
            "cursus_users",
            _columns(
                """bigint: id!! user_id! cursus_id!
                timestamp: begin_at end_at
                text: grade
                double: level!
                json: skills
                bool: has_coalition
                timestamp: blackholed_at created_at updated_at!"""
            ),
            prepare=_prepare_cursus_user,
        ),
        Contract(
            "projects_users",
            _columns(
                """bigint: id!! user_id! project_id! occurrence final_mark
                text: status!
                bool: validated?
                bigint: current_team_id
                json: current_team cursus_ids
                timestamp: marked_at
                bool: marked
                timestamp: retriable_at created_at updated_at!"""
            ),
            prepare=_prepare_projects_user,
            derived=frozenset({"current_team"}),
        ),
        Contract(
            "achievements_users",
            _columns(
                """bigint: id!! achievement_id! user_id! nbr_of_success
                text: url
                timestamp: created_at updated_at!"""
            ),
            left_out=frozenset({"login"}),
        ),
        Contract(
            "coalitions_users",
            _columns(
                """bigint: id!! coalition_id! user_id! score rank
                timestamp: created_at updated_at!"""
            ),
        ),
        Contract(
            "campus_users",
            _columns(
                """bigint: id!! user_id! campus_id!
                bool: is_primary!
                timestamp: created_at updated_at!"""
            ),
        ),
    )
}
