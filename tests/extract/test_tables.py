"""The declarations: each is whole, and dbt knows what they say."""

from __future__ import annotations

import orjson
import pytest

from extract.listing.columns import to_arrow
from extract.tables import TABLES, Table
from extract.tables.streams import STREAMS
from tests.conftest import Parsed

ALL = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


@pytest.fixture(scope="session")
def nodes(parsed_project: Parsed) -> dict[str, dict[str, str]]:
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


@ALL
def test_a_declaration_with_people_says_whose_rows_they_are(table: Table) -> None:
    names = {column.name for column in table.columns}
    of_people = {name for name in names if name in ("login", "email") or name.endswith("user_id")}
    assert bool(of_people) == bool(table.person or table.mentions)


@ALL
def test_every_table_is_read_by_some_pass(table: Table) -> None:
    assert table.full or table.backfill or table.ranges or table.comes_with in TABLES
    assert table.stream in STREAMS
    assert table.person or not table.relation


@ALL
def test_every_table_is_a_source_of_dbt_and_published_where_it_says(
    table: Table, nodes: dict[str, dict[str, str]]
) -> None:
    source = f"source.fortytwo_mirror.fortytwo.{table.name}"
    assert source in nodes, f"raw.{table.name} stands in no _fortytwo__sources.yml"
    published = f"model.fortytwo_mirror.{table.mirror}"
    assert not table.mirror or published in nodes, f"no model makes mirror.{table.mirror}"


def test_dbt_reads_no_table_that_is_not_declared(nodes: dict[str, dict[str, str]]) -> None:
    of_raw = {
        node["name"]
        for name, node in nodes.items()
        if name.startswith("source.") and node["schema"] == "raw"
    }
    assert {name for name in of_raw if not name.startswith("_dlt")} == set(TABLES)
