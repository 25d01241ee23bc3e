"""The benchmarks run and print their table; what they measure is no test."""

from __future__ import annotations

import pytest

from benchmarks import publication
from tests.helpers import run_module


def table(*arguments: str) -> list[list[str]]:
    """The cells of the lines that a run prints."""
    done = run_module("benchmarks", *arguments, "--runs", "1")
    # 1: a figure missed its target, as tiny sizes may
    assert done.returncode in (0, 1), done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


@pytest.mark.slow
def test_relations_are_loaded_beside_plain_copy() -> None:
    floor, ours = table("relations", "--rows", "500")
    assert floor[:2] == ["relations", "500 rows: parse + plain COPY"]
    assert ours[1] == "500 rows: contract, Loader, merge"
    assert "of COPY's rows/s" in ours[6]


@pytest.mark.slow
def test_the_network_is_read_beside_the_floor_and_calls_are_counted() -> None:
    lines = table("extract", "calls", "--students", "300", "--no-peers")
    names = [line[1] for line in lines]
    assert names[:2] == [
        "floor: asyncio + COPY, nothing checked",
        "ours: extract run --mode full",
    ]
    assert {"full: users", "backfill: projects_users", "live: users"} <= set(names)
    assert all(float(line[2]) > 0 for line in lines[:2])


@pytest.mark.slow
def test_a_copy_of_one_percent_is_beside_the_whole_one() -> None:
    whole, nothing, changed, deleted = table("copy", "--students", "300")
    assert whole[1].endswith("rows, whole") and whole[6].endswith("100.0% of bytes")
    assert nothing[6].startswith("0.0 MB") and nothing[6].endswith(", 0.0% of bytes")
    assert {changed[8], deleted[8]} <= {"yes", "**no**"}


@pytest.mark.slow
def test_a_publication_is_measured_from_the_script_that_dbt_renders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, statement in (
        ("FILL", "insert into marts.cursus (id, name, slug) values (21, 'Cursus', 'cursus')"),
        ("CHANGE_ONE_PERCENT", "update marts.cursus set name = 'Another'"),
        ("CHANGE_EVERYTHING", "delete from marts.cursus"),
    ):
        monkeypatch.setattr(publication, name, statement)
    measured = publication.measure()
    assert [one.changed for one in measured] == [1, 0, 1, 1]
    assert all(one.mebibytes > 0 for one in measured)
