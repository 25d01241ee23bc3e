"""Any content of mirror, any candidate: the publication leads from one to the other, or refuses."""

from __future__ import annotations

from contextlib import nullcontext

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import PUBLISHED
from tests.publication.lab import Lab

UPDATES = {
    "users": "wallet = coalesce(wallet, 0) + 1",
    "projects": "difficulty = null",
    "campuses": "city = coalesce(city, '') || ' '",
    "projects_users": "final_mark = -42, status = 'in_progress'",
    "cursus_users": "level = level + 0.01",
    "coalitions_users": "score = 2147483648",
}
COPIES = {
    "projects_users": "id + 1000000",
    "achievements_users": "id + 1000000",
    "coalitions_users": "id + 1000000",
}
MOVES = {
    "projects_users": "user_id = (select min(id) from marts.users)",
    "coalitions_users": "coalition_id = (select max(id) from marts.coalitions)",
    "users": "campus_id = (select max(id) from marts.campuses)",
}
EDIT = st.one_of(
    st.tuples(st.just("delete"), st.sampled_from(PUBLISHED[1:])),
    st.tuples(st.just("update"), st.sampled_from(sorted(UPDATES))),
    st.tuples(st.just("copy"), st.sampled_from(sorted(COPIES))),
    st.tuples(st.just("move"), st.sampled_from(sorted(MOVES))),
)
# of the rows whose number has this remainder
EDITS = st.lists(st.tuples(EDIT, st.integers(2, 40), st.integers(0, 39)), max_size=6)


def start_again(lab: Lab) -> None:
    """Make the candidate what mirror is."""
    statements = []
    for table in PUBLISHED:
        columns = lab.value(
            "select string_agg(quote_ident(attname), ', ') from pg_attribute "
            f"where attrelid = 'marts.{table}'::regclass and attnum > 0 and not attisdropped"
        )
        statements.append(f"delete from marts.{table};")
        statements.append(
            f"insert into marts.{table} ({columns}) select {columns} from mirror.{table};"
        )
    lab.run(" ".join(statements))


def edit(lab: Lab, kind: str, table: str, modulus: int, remainder: int) -> None:
    """Change some rows of the candidate."""
    key = lab.value(
        "select attname from pg_index inner join pg_attribute on attrelid = indrelid "
        f"and attnum = indkey[0] where indisprimary and indrelid = 'mirror.{table}'::regclass"
    )
    chosen = f"{key} % {modulus} = {remainder % modulus}"
    if kind == "delete":
        lab.run(f"delete from marts.{table} where {chosen}")
    elif kind == "update":
        lab.run(f"update marts.{table} set {UPDATES[table]} where {chosen}")
    elif kind == "move":
        lab.run(f"update marts.{table} set {MOVES[table]} where {chosen}")
    else:
        columns = lab.value(
            "select string_agg(quote_ident(attname), ', ') from pg_attribute "
            f"where attrelid = 'marts.{table}'::regclass and attnum > 0 and attname <> 'id'"
        )
        lab.run(
            f"insert into marts.{table} (id, {columns}) select {COPIES[table]}, {columns} "
            f"from marts.{table} where {chosen} and id < 1000000 on conflict do nothing"
        )


def remove_orphans(lab: Lab) -> None:
    """A green build has none; deletions above have made some."""
    edges = lab.rows(
        "select child.relname, attname, parent.relname from pg_constraint "
        "join pg_class as child on child.oid = conrelid "
        "join pg_class as parent on parent.oid = confrelid "
        "join pg_attribute on attrelid = conrelid and attnum = conkey[1] "
        "where contype = 'f' and connamespace = 'mirror'::regnamespace"
    )
    for _ in range(4):  # as deep as the edges go
        lab.run(
            " ".join(
                f"delete from marts.{child} as child where child.{column} is not null "
                f"and not exists (select from marts.{parent} where id = child.{column});"
                for child, column, parent in edges
            )
        )


def too_many_deletions(lab: Lab) -> bool:
    """Whether the deletion guard must speak."""
    for table in PUBLISHED:
        key = lab.value(
            "select string_agg(attname, ', ') from pg_constraint "
            "join pg_attribute on attrelid = conrelid and attnum = any(conkey) "
            f"where contype = 'p' and conrelid = 'mirror.{table}'::regclass"
        )
        (gone, present) = lab.rows(
            f"select count(*) filter (where ({key}) not in (select {key} from marts.{table})), "
            f"count(*) from mirror.{table}"
        )[0]
        if gone >= 20 and gone > present * 0.1:
            return True
    return False


@pytest.mark.slow
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=EDITS)
def test_any_candidate_becomes_mirror_exactly_or_nothing_changes(
    edits: list[tuple[tuple[str, str], int, int]], lab: Lab
) -> None:
    start_again(lab)
    for (kind, table), modulus, remainder in edits:
        edit(lab, kind, table, modulus, remainder)
    remove_orphans(lab)
    before, refused = lab.state(), too_many_deletions(lab)
    with pytest.raises(psycopg2.Error, match="Nothing was published") if refused else nullcontext():
        lab.publish()
    assert lab.state() == (before if refused else lab.candidate())
