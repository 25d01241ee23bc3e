"""The declarations: each is whole, and dbt knows what they say."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import orjson
import pytest

from extract.listing.columns import to_arrow
from extract.people.copies import leave_out
from extract.tables import TABLES, Table
from extract.tables.streams import STREAMS
from tests.conftest import Parsed
from tests.end_to_end.oracle import rows

LISTED = [table for table in TABLES.values() if not table.comes_with]
ROWS_LOOKED_AT = 1500
# the number of a day, which is one of a person's too by chance
NO_PERSON = {"scale_teams.begin_day"}
# columns that serve the extraction, and no model
NOT_STAGED = {"scale_teams.begin_day"}
# names of which campus_achievements are made
NOT_PUBLISHED = NOT_STAGED | {"achievements.campus"}

CASTS = {"bigint": "bigint", "bool": "boolean", "timestamp": "timestamptz"}

ALL = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


@pytest.fixture(scope="session")
def nodes(parsed_project: Parsed) -> dict[str, dict[str, Any]]:
    """Sources and models of dbt by their unique name."""
    manifest = orjson.loads((parsed_project.memory.parent / "manifest.json").read_bytes())
    return {**manifest["sources"], **manifest["nodes"]}


@ALL
def test_a_declaration_names_only_columns_that_it_has(table: Table) -> None:
    names = [column.name for column in table.columns]
    assert len(names) == len(set(names))
    people = {table.person, *table.mentions} - {""}
    assert {*table.primary_key, table.scope, *table.ranges, *table.moving, *people} <= set(names)
    assert to_arrow(table, [], "/v2/x").schema == table.schema()


def test_no_table_is_essential_without_a_word() -> None:
    with pytest.raises(TypeError, match="stream"):
        Table("titles", "bigint: id!!")  # type: ignore[call-arg]


@ALL
def test_an_endpoint_is_that_of_the_cursus_or_of_each_campus(table: Table) -> None:
    asked = " ".join([table.path, *table.params.values()])
    assert set(re.findall(r"{(\w+)}", asked)) <= {"cursus", "campus"}, (
        "for nothing else is it asked"
    )
    assert ("{campus}" in table.path) == (table.full == "by campus")


@ALL
def test_a_declaration_with_people_says_whose_rows_they_are(table: Table) -> None:
    names = {column.name for column in table.columns}
    assert {name for name in names if name.endswith("user_id")} <= {table.person, *table.mentions}
    assert table.person or not names & {"login", "email"}


@pytest.mark.parametrize("table", LISTED, ids=[table.name for table in LISTED])
def test_no_number_of_a_person_stands_where_an_erasure_does_not_look(
    table: Table, sandbox: str
) -> None:
    everybody = {row["id"] for row in rows(sandbox, "users")}
    listed = list(islice(rows(sandbox, table.path.rpartition("/")[2]), ROWS_LOOKED_AT))
    for row in listed:
        row.setdefault("campus_id", 1)  # the campus whose list it is
    loaded = to_arrow(table, listed, table.path)
    without = leave_out(replace(table, person=""), loaded, everybody)
    numbers = defaultdict(set)
    for column in table.columns:
        for value in without.column(column.name).to_pylist():
            found = json.loads(value) if column.data_type == "json" and value else value
            for path, number in _numbers(f"{table.name}.{column.name}", found):
                numbers[path].add(number)
    of_people = {path for path, found in numbers.items() if len(found & everybody) > len(found) / 4}
    assert of_people - NO_PERSON <= {f"{table.name}.{table.person}"}


def _numbers(path: str, value: Any) -> Iterator[tuple[str, int]]:
    """The whole numbers in a value, each with where it stands."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _numbers(f"{path}.{name}", item)
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(path, item)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path, value


@ALL
def test_rows_of_a_stream_that_forgets_say_by_which_time(table: Table) -> None:
    assert bool(table.kept_by) == (STREAMS[table.stream].days is not None)


def staging(table: Table, nodes: dict[str, dict[str, Any]]) -> list[str]:
    """The SQL of the models that read a raw table."""
    source = f"source.fortytwo_mirror.fortytwo.{table.name}"
    models = [node for node in nodes.values() if node["resource_type"] == "model"]
    return [model["raw_code"] for model in models if source in model["depends_on"]["nodes"]]


@ALL
def test_every_column_that_is_read_is_in_a_staging_model(
    table: Table, nodes: dict[str, dict[str, Any]]
) -> None:
    words = set(re.findall(r"\w+", " ".join(staging(table, nodes))))
    assert {
        column.name
        for column in table.loaded
        if column.name not in words and f"{table.name}.{column.name}" not in NOT_STAGED
    } == set()


@ALL
def test_every_column_that_is_read_is_published_or_nested(
    table: Table, nodes: dict[str, dict[str, Any]]
) -> None:
    mart = nodes.get(f"model.fortytwo_mirror.{table.mirror}", {"columns": {}})
    assert {
        f"{table.name}.{column.name}"
        for column in table.loaded
        if table.mirror and column.name not in table.nested.keys() | mart["columns"].keys()
    } <= NOT_PUBLISHED


@ALL
def test_what_a_model_casts_in_a_list_is_held_to_its_type(
    table: Table, nodes: dict[str, dict[str, Any]]
) -> None:
    models = staging(table, nodes)
    casts = {
        (field, data_type)
        for sql in models
        for field, data_type in re.findall(r"->> '([\w?]+)'\)::(\w+)", sql)
    } | {("id", found) for sql in models for found in re.findall(r"element::(\w+)", sql)}
    nested = TABLES[table.comes_with or table.name].nested
    held = {(one.field, CASTS.get(one.data_type)) for found in nested.values() for one in found}
    assert casts - held == set()


@ALL
def test_every_table_is_read_by_some_pass(table: Table) -> None:
    assert table.full or table.backfill or table.ranges or table.comes_with in TABLES
    assert table.stream in STREAMS
    assert table.person or not table.relation


@ALL
def test_every_table_is_a_source_of_dbt_and_published_where_it_says(
    table: Table, nodes: dict[str, dict[str, Any]]
) -> None:
    source = f"source.fortytwo_mirror.fortytwo.{table.name}"
    assert source in nodes, f"raw.{table.name} stands in no _fortytwo__sources.yml"
    published = f"model.fortytwo_mirror.{table.mirror}"
    assert not table.mirror or published in nodes, f"no model makes mirror.{table.mirror}"


def test_dbt_reads_no_table_that_is_not_declared(nodes: dict[str, dict[str, Any]]) -> None:
    of_raw = {
        node["name"]
        for name, node in nodes.items()
        if name.startswith("source.") and node["schema"] == "raw"
    }
    assert {name for name in of_raw if not name.startswith("_dlt")} == set(TABLES)
