"""What a complete green build publishes, and what an unchanged one leaves alone."""

from __future__ import annotations

import pytest

from tests.conftest import PUBLISHED, WITHOUT_UNIT_TESTS
from tests.publication.conftest import Published
from tests.publication.lab import Lab


def test_the_first_build_publishes_every_table(published: Published) -> None:
    assert published.first.success, published.first.output
    assert published.lab.state() == published.lab.candidate()
    assert published.lab.value("select count(*) from mirror.users") > 0
    assert "Published to mirror" in published.first.output
    compared = "select table_name from ops.candidates where compared_since is not null order by 1"
    assert [name for (name,) in published.lab.rows(compared)] == sorted(PUBLISHED)
    signed = "select raw_signature ->> 'models' from ops.runs where published_at is not null"
    assert published.lab.rows(signed) == [("first",)]


@pytest.mark.slow
def test_an_unchanged_build_writes_nothing_to_mirror(lab: Lab) -> None:
    before = lab.writes()

    again = lab.dbt("build", *WITHOUT_UNIT_TESTS)

    assert again.success, again.output
    assert set(before) == set(PUBLISHED)
    assert lab.writes() == before
    assert "nothing had changed" in again.output


def test_an_unchanged_publication_writes_nothing_to_mirror_and_no_rejection(lab: Lab) -> None:
    rejections = """
        select n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables
        where relname = 'rejections'
    """
    before, rejected = lab.writes(), lab.rows(rejections)

    lab.publish()

    assert set(before) == set(PUBLISHED)
    assert lab.writes() == before
    assert lab.rows(rejections) == rejected
    assert lab.value("select count(*) from ops.rejections") > 0


def test_every_relationship_is_a_foreign_key_that_cascades_and_is_indexed(
    published: Published,
) -> None:
    keys = published.lab.rows("""
        select
            con.conrelid::regclass::text || '.' || attribute.attname,
            con.confrelid::regclass::text,
            con.confdeltype = 'c' and con.condeferrable and con.convalidated,
            exists (
                select from pg_index as index
                where index.indrelid = con.conrelid and index.indkey[0] = con.conkey[1]
            )
        from pg_constraint as con
        inner join pg_attribute as attribute
            on attribute.attrelid = con.conrelid and attribute.attnum = con.conkey[1]
        where con.contype = 'f' and con.connamespace = 'mirror'::regnamespace
    """)

    assert {(child, parent) for child, parent, _, _ in keys} >= {
        ("mirror.users.campus_id", "mirror.campuses"),
        ("mirror.cursus_users.cursus_id", "mirror.cursus"),
        ("mirror.projects_users.user_id", "mirror.users"),
        ("mirror.projects_users.project_id", "mirror.projects"),
        ("mirror.project_sessions.campus_id", "mirror.campuses"),
        ("mirror.campus_projects.campus_id", "mirror.campuses"),
        ("mirror.campus_achievements.achievement_id", "mirror.achievements"),
        ("mirror.coalitions_users.coalition_id", "mirror.coalitions"),
    }
    assert all(as_wanted and indexed for _, _, as_wanted, indexed in keys)


@pytest.mark.parametrize(
    ("table", "column"),
    [("users", "login"), ("users", "email"), ("users", "updated_at"), ("projects", "slug")],
)
def test_columns_that_people_look_up_are_indexed(
    published: Published, table: str, column: str
) -> None:
    indexed = published.lab.value(f"""
        select exists (
            select from pg_index as index
            inner join pg_attribute as attribute
                on attribute.attrelid = index.indrelid and attribute.attnum = index.indkey[0]
            where index.indrelid = 'mirror.{table}'::regclass and attribute.attname = '{column}'
        )
    """)

    assert indexed


def test_not_null_and_primary_keys_come_from_the_contract(published: Published) -> None:
    not_null = published.lab.rows("""
        select attname from pg_attribute
        where attrelid = 'mirror.users'::regclass and attnum > 0 and attnotnull order by attname
    """)
    link_key = published.lab.value("""
        select pg_get_constraintdef(oid) from pg_constraint
        where conrelid = 'mirror.campus_projects'::regclass and contype = 'p'
    """)

    assert {name for (name,) in not_null} >= {"id", "login", "campus_id"}
    assert link_key == "PRIMARY KEY (campus_id, project_id)"


def test_descriptions_are_comments(published: Published) -> None:
    lacking = published.lab.rows("""
        select relation.relname, attribute.attname
        from pg_class as relation
        inner join pg_attribute as attribute
            on attribute.attrelid = relation.oid and attribute.attnum > 0
            and not attribute.attisdropped
        where relation.relnamespace = 'mirror'::regnamespace and relation.relkind = 'r'
            and (
                obj_description(relation.oid) is null
                or col_description(relation.oid, attribute.attnum) is null
            )
    """)

    assert lacking == []


def test_a_run_is_on_record_with_rows_changes_and_rejections(published: Published) -> None:
    [(status, mode, rows, rejected, changes)] = published.lab.rows("""
        select status, mode, rows, rejected, changes from ops.runs
        where changes -> 'users' ->> 'inserted' <> '0'
    """)

    assert (status, mode) == ("published", "build")
    assert set(rows) == set(changes) == set(PUBLISHED)
    assert changes["users"] == {"inserted": rows["users"], "updated": 0, "deleted": 0}
    assert rejected["campus_inactive"] == 1


def test_every_row_of_the_first_publication_is_a_change(published: Published) -> None:
    counted = published.lab.rows(
        "select table_name, count(*), count(distinct key) from ops.changes "
        "where action = 'insert' group by table_name"
    )
    expected = published.lab.value("select rows from ops.runs order by published_at desc limit 1")

    assert {name: rows for name, rows, _ in counted} == expected
    assert all(rows == keys for _, rows, keys in counted)


def test_changes_are_kept_in_sets_of_ten_thousand_keys_at_most(lab: Lab) -> None:
    lab.run("""
        insert into marts.achievements_users (id, achievement_id, user_id)
        select
            1000000 + n, (select min(id) from marts.achievements), (select min(id) from marts.users)
        from generate_series(1, 25000) as n
    """)

    lab.publish()

    sets = lab.rows("""
        select jsonb_array_length(keys) from ops.change_sets
        where changed_at = (select max(changed_at) from ops.change_sets) order by 1
    """)
    assert sets == [(5000,), (10000,), (10000,)]


def test_changes_name_the_row_the_columns_and_the_run(lab: Lab) -> None:
    lab.run("""
        update marts.users set wallet = 7, location = 'c1r1' where id = 2;
        update marts.users set location = null where id = 3;
        delete from marts.project_sessions where id = 10;
        insert into marts.coalitions (id, name, slug) values (77, 'New', 'new');
    """)

    lab.publish()

    changes = lab.rows("""
        select table_name, action, key, columns from ops.changes
        where run_id = (select run_id from ops.runs order by published_at desc limit 1)
        order by table_name, action
    """)
    assert changes == [
        ("coalitions", "insert", {"id": 77}, None),
        ("project_sessions", "delete", {"id": 10}, None),
        ("users", "update", {"id": 2}, ["location", "wallet"]),
    ]
    assert lab.state() == lab.candidate()


def test_null_and_json_values_are_compared_by_what_they_mean(lab: Lab) -> None:
    before = lab.writes()
    lab.run("""
        update marts.users set image = '{"a": 1,   "link": null}';
        update marts.users set image = '{"link": null}';
        update marts.users set phone = null;
    """)

    lab.publish()

    assert lab.writes() == before


def test_deleted_parents_take_their_children_and_all_are_on_record(lab: Lab) -> None:
    children = {
        table: lab.value(f"select count(*) from marts.{table} where user_id = 2")
        for table, _ in lab.of_users()
    }
    lab.run(
        "".join(f"delete from marts.{table} where user_id = 2;" for table in children)
        + "delete from marts.users where id = 2;"
    )

    lab.publish()

    deleted = lab.rows("""
        select table_name, count(*) from ops.changes where action = 'delete' group by table_name
    """)
    assert dict(deleted) == {**{k: n for k, n in children.items() if n}, "users": 1}
    assert lab.state() == lab.candidate()


def test_a_child_that_moves_to_another_parent_survives_the_old_ones_deletion(lab: Lab) -> None:
    lab.run("""
        insert into marts.coalitions (id, name, slug) values (50, 'Next', 'next');
        update marts.coalitions_users set coalition_id = 50 where coalition_id = 1;
        delete from marts.coalitions where id = 1;
        update marts.project_sessions set campus_id = null where campus_id = 2;
    """)
    moved = lab.value("select count(*) from marts.coalitions_users where coalition_id = 50")

    lab.publish()

    assert moved > 0
    assert lab.state() == lab.candidate()


def test_logins_that_swap_do_not_collide(lab: Lab) -> None:
    lab.run("""
        update marts.users set login = case id when 1 then 'login2' else 'login1' end
        where id in (1, 2)
    """)

    lab.publish()

    assert lab.rows("select id, login from mirror.users where id in (1, 2) order by id") == [
        (1, "login2"),
        (2, "login1"),
    ]


def test_changes_are_forgotten_after_the_retention(lab: Lab) -> None:
    lab.run("update ops.change_sets set changed_at = now() - interval '91 days'")

    lab.publish()

    assert lab.value("select count(*) from ops.changes") == 0


def test_rejected_rows_say_since_when_and_until_when(lab: Lab) -> None:
    key = "table_name = 'campuses' and rule = 'campus_inactive'"
    lab.publish()
    [(first, last, now)] = lab.rows(
        f"select first_seen_at, last_seen_at, rejected_now from ops.rejected_rows where {key}"
    )
    lab.run("delete from intermediate.int_rejected_rows where rule = 'campus_inactive'")
    lab.publish()
    [(first_after, last_after, now_after)] = lab.rows(
        f"select first_seen_at, last_seen_at, rejected_now from ops.rejected_rows where {key}"
    )

    assert now and first < last  # seen by the build, and still by the publication after it
    assert not now_after and (first_after, last_after) == (first, last)


def test_a_row_that_is_rejected_again_is_the_one_known_since_then(lab: Lab) -> None:
    rows = "table_name = 'campuses' and rule = 'campus_inactive'"
    kept = f"select key, first_seen_at, gone_at from ops.rejections where {rows} order by key"
    lab.publish()
    before = lab.rows(kept)
    lab.run(f"""
        create table kept as select * from intermediate.int_rejected_rows where {rows};
        delete from intermediate.int_rejected_rows where {rows};
    """)
    lab.publish()
    gone = lab.rows(kept)
    lab.run("insert into intermediate.int_rejected_rows select * from kept")
    lab.publish()

    assert before and all(gone_at is not None for _, _, gone_at in gone)
    assert lab.rows(kept) == before


def test_many_new_rejections_are_analyzed_for_the_next_publication(published: Published) -> None:
    # without, joining a million of them took two and a half times as long
    # in pg_stats, which a server that crashes keeps: other tests kill it
    assert published.lab.value("""
        select count(*) from pg_stats where schemaname = 'ops' and tablename = 'rejections'
    """)


def test_readers_may_read_what_is_published_and_nothing_else(lab: Lab) -> None:
    lab.publish()
    connection = lab.connect()
    readable = {}
    with connection.cursor() as cursor:
        cursor.execute("set role mirror_reader")
        for relation in (
            "mirror.users",
            "ops.runs",
            "ops.changes",
            "raw.users",
            "marts.users",
            "snapshots.users_history",
            "intermediate.int_rejected_rows",
            "staging.stg_fortytwo__users",
        ):
            try:
                cursor.execute(f"select count(*) from {relation}")
                readable[relation] = True
            except Exception:  # noqa: BLE001
                readable[relation] = False
        cursor.execute("select has_table_privilege('mirror.users', 'insert, update, delete')")
        assert cursor.fetchone() == (False,)
    connection.close()

    assert {name for name, may in readable.items() if may} == {
        "mirror.users",
        "ops.runs",
        "ops.changes",
    }
