"""Reports count those who were read and nobody else, at each stage of the first fill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from extract.tables import TABLES
from ops.site.reports_page import REPORTS, read_report
from tests.helpers import ROOT
from tests.publication.conftest import Published, copied
from tests.publication.lab import Lab

# Marks, scores and times that differ, written to mirror by hand.
VARIED = """
update mirror.projects_users set
    occurrence = id % 3, final_mark = id % 126, validated = id % 126 >= 60, marked = id % 7 <> 0,
    created_at = date_trunc('hour', now()) - interval '40 days',
    marked_at = date_trunc('hour', now()) - make_interval(hours => (id % 900)::int);
update mirror.achievements_users set
    created_at = date_trunc('hour', now()) - make_interval(hours => (id % 2100)::int);
update mirror.coalitions_users set score = id % 31 - 4;
update mirror.coalitions set score = id * 10, cursus_id = case when id = 3 then 9 else 21 end;
update mirror.cursus_users set
    level = id % 7 + 0.5,
    blackholed_at = now() + make_interval(days => (id % 60 - 30)::int),
    end_at = case when id % 4 = 0 then now() + make_interval(days => (id % 80 - 40)::int) end;
update mirror.cursus_users set begin_at = now() - make_interval(days => 400 + (id % 50)::int);
update mirror.quests_users set
    validated_at = case
        when id % 4 > 0 then now() - make_interval(hours => (id * 37 % 5000)::int)
    end;
update mirror.teams set
    created_at = now() - interval '90 days',
    closed_at = case when id % 3 > 0 then now() - make_interval(hours => (id * 13 % 900)::int) end;
delete from mirror.locations;
insert into mirror.locations (id, user_id, campus_id, host, is_primary, begin_at, end_at)
select
    10 * id + n, id, case n when 5 then 1 + id % 4 else campus_id end,
    case n when 5 then 'laptop-' || id else 'c' || id % 3 || 'r1s' || id % 12 end,
    case (id + n) % 6 when 0 then false when 1 then null else true end, begin_at,
    case when n > 0 or id % 3 > 0
        then begin_at + make_interval(mins => 90 + ((id * 13 + n * 31) % 400)::int) end
from mirror.users
cross join generate_series(0, 5) as n
cross join lateral (
    select
        date_trunc('hour', now()) - make_interval(hours => (id * 7 % 300 + 5 * n)::int) as begin_at
) as session;
delete from mirror.scale_teams;
insert into mirror.scale_teams (id, final_mark, begin_at)
select
    id, case when id % 5 > 0 then id % 126 end,
    now() - make_interval(hours => (id * 7 % 900)::int)
from mirror.users;
insert into mirror.scale_teams_users (scale_team_id, user_id, role)
select scale_teams.id, users.id, role
from mirror.scale_teams
inner join mirror.users on users.id between scale_teams.id and scale_teams.id + 2
inner join unnest(array['corrector', 'corrected', 'truant']) with ordinality as roles (role, n)
    on users.id - scale_teams.id = n - 1 and (n < 3 or scale_teams.id % 5 = 0);
update mirror.users set active = case id % 3 when 0 then true when 1 then false end;
insert into ops.event_reads (resource, event_id, read_at, checked_at)
select 'events_users', id, now() - interval '1 day', now() from mirror.events where id % 2 = 0;
create schema hand;
create view hand.student as select id, campus_id, id % 100 < 0 as is_read from mirror.users;
create view hand.campus as
select
    campus_id, count(*) as students, count(*) filter (where is_read) as students_read,
    count(*) filter (where is_read) * 2 >= count(*) as enough
from hand.student group by campus_id;
"""
# A part of the students is read and published; the others' rows are there too, as live passes leave
# them, or were read by a run that has not published.
NAMED = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"]["relations_by_student"]
RELATIONS = ", ".join(f"'{name}'" for name in NAMED)
READ = """
create or replace view hand.student as
select id, campus_id, id % 100 < {percent} as is_read from mirror.users;
truncate ops.relation_reads;
insert into ops.relation_reads (resource, user_id, read_at, checked_at)
select
    resource, id,
    published_at + case when is_read then interval '-1 hour' else interval '1 hour' end, now()
from hand.student
cross join unnest(array[{relations}]) as resource
cross join (select max(published_at) as published_at from ops.runs) as runs
where is_read or id % 3 = 0
""".replace("{relations}", RELATIONS)
BY_HAND = {
    "coverage (campus_id, table_name, students, students_read, share_read, is_read)": """
        select
            campus_id, resource, students, students_read,
            round(students_read::numeric / students, 3), enough
        from hand.campus
        cross join unnest(array[{relations}]) as resource
    """.replace("{relations}", RELATIONS),
    "achievement_rarity (achievement_id, campus_id, students, students_read, holders, "
    "share_of_students)": """
        select
            achievement_id, campus_id, students, students_read,
            case when enough then holders end,
            case when enough then round(holders::numeric / students_read, 3) end
        from mirror.campus_achievements as offered
        inner join hand.campus using (campus_id)
        cross join lateral (
            select count(distinct student.id) as holders
            from mirror.achievements_users as earned
            inner join hand.student on student.id = earned.user_id
            where is_read and student.campus_id = offered.campus_id
                and earned.achievement_id = offered.achievement_id
        ) as counted
    """,
    "coalition_standings (coalition_id, students, students_read, members, members_score, "
    "average_score)": """
        select
            coalitions.id, students, students_read,
            case when enough then members end, case when enough then points end,
            case when enough then round(points / nullif(members, 0)::numeric, 1) end
        from mirror.coalitions
        inner join hand.campus using (campus_id)
        cross join lateral (
            select count(distinct user_id) as members, coalesce(sum(score), 0)::bigint as points
            from mirror.coalitions_users
            inner join hand.student on student.id = user_id
            where is_read and coalition_id = coalitions.id
        ) as counted
        where coalitions.cursus_id = 21
    """,
    "project_outcomes (project_id, campus_id, students_at_campus, students_read, students, "
    "marked, validated_first_try, success_rate, first_try_rate, average_mark, "
    "average_mark_validated, average_mark_first_try, median_days_validated)": """
        select
            project_id, campus_id, students, students_read,
            case when enough then count(distinct user_id) end,
            case when enough then sum(marked::int) end,
            case when enough then sum((marked and validated and occurrence = 0)::int) end,
            case when enough then round(
                sum((marked and validated)::int)::numeric / nullif(sum(marked::int), 0), 3) end,
            case when enough then round(
                sum((marked and validated and occurrence = 0)::int)::numeric
                / nullif(sum(marked::int), 0), 3) end,
            case when enough then round(avg(case when marked then final_mark end), 1) end,
            case when enough then
                round(avg(case when marked and validated then final_mark end), 1) end,
            case when enough then
                round(avg(case when marked and occurrence = 0 then final_mark end), 1) end,
            case when enough then round((percentile_cont(0.5) within group (order by
                case when marked and validated
                    then extract(epoch from marked_at - created_at) / 86400 end))::numeric, 1) end
        from mirror.projects_users
        inner join hand.student on student.id = user_id
        inner join hand.campus using (campus_id)
        where is_read
        group by project_id, campus_id, students, students_read, enough
    """,
    "activity_by_hour (campus_id, weekday, hour, students, projects_students_read, "
    "achievements_students_read, projects_started, projects_marked, achievements_earned)": """
        select
            campus_id, extract(isodow from local), extract(hour from local), students,
            students_read, students_read,
            case when enough then sum((kind = 'started')::int) end,
            case when enough then sum((kind = 'marked')::int) end,
            case when enough then sum((kind = 'earned')::int) end
        from (
            select user_id, 'started' as kind, created_at as moment from mirror.projects_users
            union all select user_id, 'marked', marked_at from mirror.projects_users
            union all select user_id, 'earned', created_at from mirror.achievements_users
        ) as event
        inner join hand.student on student.id = user_id
        inner join hand.campus using (campus_id)
        cross join lateral (select moment at time zone 'Europe/Paris' as local) as clock
        where is_read and moment > now() - interval '84 days' and moment <= now()
        group by campus_id, 2, 3, students, students_read, enough
    """,
    "students_by_status (campus_id, students, enrolled, active, past_due, past_due_active, "
    "blackholed)": """
        select
            campus_id, count(*), sum((end_at is null or end_at > now())::int),
            sum(coalesce(active, false)::int),
            sum(((end_at is null or end_at > now()) and blackholed_at <= now())::int),
            sum((
                (end_at is null or end_at > now()) and blackholed_at <= now()
                and coalesce(active, false)
            )::int),
            sum(coalesce(end_at <= now() and blackholed_at <= end_at, false)::int)
        from mirror.users inner join mirror.cursus_users on cursus_users.user_id = users.id
        group by campus_id
    """,
    "students_by_level (campus_id, level, students, active_students)": """
        select campus_id, floor(level), count(*), sum(coalesce(active, false)::int)
        from mirror.users inner join mirror.cursus_users on cursus_users.user_id = users.id
        group by campus_id, floor(level)
    """,
    "upcoming_agenda (campus_id, table_name, id, begin_at, nbr_subscribers, "
    "students_signed_up)": """
        select * from (
        select
            campus_id, 'events', id, begin_at, nbr_subscribers,
            case when id % 2 = 0 then
                (select count(*) from mirror.events_users where event_id = events.id) end
        from mirror.events inner join mirror.campus_events on event_id = id
        where begin_at - now() <= interval '14 days' and end_at > now()
        union all
        select campus_id, 'exams', id, begin_at, nbr_subscribers, null
        from mirror.exams where begin_at - now() <= interval '14 days' and end_at > now()
        ) as upcoming
    """,
    "cluster_occupancy (campus_id, cluster, people, computers_in_use, computers, share_in_use, "
    "students, students_read)": """
        select
            campus_id, (regexp_match(host, '^(.+)r\\d+[a-z]+\\d+$'))[1],
            count(distinct user_id) filter (where sits), count(distinct host) filter (where sits),
            case when enough then count(distinct host) end,
            case when enough then round(
                (count(distinct host) filter (where sits))::numeric / count(distinct host), 3) end,
            students, students_read
        from mirror.locations
        inner join hand.campus using (campus_id)
        cross join lateral (
            select end_at is null and begin_at > now() - interval '1 day' as sits
        ) as open
        group by campus_id, 2, enough, students, students_read
    """,
    "logtime_by_week (user_id, week, minutes, days)": """
        select
            user_id, date_trunc('week', day)::date,
            floor(round(sum(extract(epoch from upper(part) - lower(part))), 3) / 60),
            count(distinct day)
        from (
            select user_id, range_agg(tstzrange(begin_at, least(end_at, now()))) as present
            from mirror.locations
            where
                coalesce(is_primary, true)
                and (end_at is not null or begin_at > now() - interval '1 day')
            group by user_id
        ) as presence
        inner join hand.student on student.id = user_id
        cross join generate_series(
            current_date - 30, current_date + 1, interval '1 day'
        ) as days (midnight)
        cross join lateral (select midnight::timestamp as day) as local
        cross join unnest(present * tstzmultirange(tstzrange(
            day at time zone 'Europe/Paris', (day + interval '1 day') at time zone 'Europe/Paris'
        ))) as part
        where is_read
        group by user_id, 2
    """,
    "evaluations_by_week (user_id, week, given, received, missed)": """
        select
            user_id,
            (local.day - (extract(isodow from local.day)::int - 1))::date,
            sum((role = 'corrector' and final_mark > -1)::int),
            sum((role = 'corrected' and final_mark > -1)::int),
            sum((role = 'truant')::int)
        from mirror.scale_teams_users
        inner join mirror.scale_teams on scale_team_id = scale_teams.id
        cross join lateral (select (begin_at at time zone 'Europe/Paris')::date as day) as local
        where final_mark > -1 or role = 'truant'
        group by user_id, 2
    """,
    "working_time (project_id, campus_id, teams, median_days, students, students_read)": """
        select
            project_id, campus_id, case when enough then count(*) end,
            case when enough then round((percentile_cont(0.5) within group (order by
                extract(epoch from closed_at - created_at) / 86400))::numeric, 1) end,
            students, students_read
        from mirror.teams
        cross join lateral (
            select distinct campus_id from mirror.teams_users
            inner join hand.student on student.id = user_id
            where team_id = teams.id and is_read
        ) as place
        inner join hand.campus using (campus_id)
        where closed_at > created_at
        group by project_id, campus_id, enough, students, students_read
    """,
    "milestones_by_month (quest_id, campus_id, month, reached_by, median_days)": """
        select
            quest_id, student.campus_id,
            (local.day - extract(day from local.day)::int + 1)::date,
            case when enough then count(*) end,
            case when enough then round((percentile_cont(0.5) within group (order by
                extract(epoch from validated_at - begin_at) / 86400))::numeric, 1) end
        from mirror.quests_users
        inner join hand.student on student.id = quests_users.user_id and is_read
        inner join hand.campus using (campus_id)
        inner join mirror.cursus_users on cursus_users.user_id = student.id
        cross join lateral (
            select (validated_at at time zone 'Europe/Paris')::date as day
        ) as local
        where validated_at is not null
        group by 1, 2, 3, enough
    """,
    "last_seen (user_id, seen_at, seen_campus_id, host, is_seated)": """
        select student.id, seen_at, seen.campus_id, host, coalesce(sits, false)
        from hand.student
        left join lateral (
            select
                campus_id, host, end_at is null and begin_at > now() - interval '1 day' as sits,
                case
                    when end_at is not null then least(end_at, now())
                    when begin_at > now() - interval '1 day' then now()
                    else begin_at
                end as seen_at
            from mirror.locations
            where user_id = student.id
            order by seen_at desc, id desc
            limit 1
        ) as seen on true
        where is_read
    """,
    "blackhole_outlook (user_id, days_left)": """
        select user_id, ceil(extract(epoch from blackholed_at - now()) / 86400)
        from mirror.cursus_users
        where blackholed_at > now() and blackholed_at <= now() + interval '14 days'
            and (end_at is null or end_at > now())
    """,
}


@pytest.fixture(scope="module")
def varied(published: Published, server: dict[str, str]) -> Iterator[Lab]:
    """A copy of the published world whose rows differ more; its tests only change who was read."""
    with copied(server, published.lab) as lab:
        lab.run(VARIED)
        yield lab


def rows(lab: Lab, query: str) -> list[Any]:
    return sorted(lab.rows(query), key=repr)


def test_each_report_has_its_figures_by_hand() -> None:
    # those of seats, which are off until asked for, are in no page
    assert {report.partition(" ")[0] for report in BY_HAND} >= set(REPORTS)


@pytest.mark.parametrize("percent", [0, 1, 50, 100])
def test_each_report_is_right_whatever_part_of_its_relation_is_read(
    varied: Lab, percent: int
) -> None:
    varied.run(READ.format(percent=percent))

    for report, by_hand in BY_HAND.items():
        name, _, columns = report.rstrip(")").partition(" (")
        shown = f"select {columns} from reports.{name}"
        only = varied.rows(
            f"({shown} except all {by_hand}) union all ({by_hand} except all {shown})"
        )
        assert only == [], name
        assert percent < 50 or varied.value(f"select count(*) from reports.{name}") > 3, name


def test_below_half_there_are_no_figures_and_from_half_on_there_are(varied: Lab) -> None:
    for percent, shown in ((1, 0), (45, 0), (50, 40), (100, 40)):
        varied.run(READ.format(percent=percent))
        found = varied.value(
            "select count(distinct achievement_id) from reports.achievement_rarity "
            "where share_of_students is not null"
        )
        assert found == shown, percent


def test_the_page_says_what_the_database_says(varied: Lab) -> None:
    varied.run(READ.format(percent=50))
    connection = varied.connect()
    shown = {name: read_report(connection, name) for name in REPORTS}
    connection.close()
    by_hand = {
        "students_by_level": "select null, floor(level), count(*), sum((active is true)::int) "
        "from mirror.users inner join mirror.cursus_users on user_id = users.id group by 2",
        "project_outcomes": "select null, projects.name, sum(marked::int), "
        "sum((marked and validated)::int), "
        "round(sum((marked and validated)::int)::numeric / sum(marked::int), 3), "
        "round(sum((marked and validated and occurrence = 0)::int)::numeric / sum(marked::int), 3),"
        " null, null from mirror.projects_users "
        "inner join hand.student on student.id = user_id and is_read "
        "inner join mirror.projects on projects.id = project_id group by projects.id",
        "achievement_rarity": "select null, achievements.name, kind, count(distinct user_id), "
        "round(count(distinct user_id)::numeric / (select sum(students_read) from hand.campus "
        "inner join mirror.campus_achievements using (campus_id) "
        "where achievement_id = achievements.id), 5) "
        "from mirror.achievements_users inner join hand.student on student.id = user_id "
        "inner join mirror.achievements on achievements.id = achievement_id "
        "inner join mirror.campus_achievements "
        "on campus_achievements.achievement_id = achievements.id "
        "and campus_achievements.campus_id = student.campus_id "
        "where is_read group by achievements.id",
        "blackhole_outlook": "select null, ceil(extract(epoch from blackholed_at - now()) / 86400),"
        " count(*) from mirror.cursus_users "
        "where blackholed_at > now() and blackholed_at <= now() + interval '14 days' "
        "and (end_at is null or end_at > now()) group by 2",
    }
    for name, query in by_hand.items():
        table = shown[name]
        assert table
        totals = [
            tuple(table["texts"][cell[0]] if isinstance(cell, list) else cell for cell in row)
            for row in table["rows"]
            if row[0] is None
        ]
        expected = [
            tuple(cell if cell is None or isinstance(cell, str) else float(cell) for cell in row)
            for row in varied.rows(query)
        ]
        assert Counter(totals) == Counter(expected), name
        assert len(totals) > 1, name


def test_what_was_read_and_is_not_published_yet_does_not_count(varied: Lab) -> None:
    varied.run(READ.format(percent=100))
    before = rows(varied, "select * from reports.coverage")
    varied.run("update ops.relation_reads set read_at = now() + interval '1 hour'")

    assert rows(varied, "select distinct students_read, is_read from reports.coverage") == [
        (0, False)
    ]
    varied.run(
        "insert into ops.runs (run_id, mode, status, finished_at) "
        "values ('later', 'backfill', 'unchanged', now() + interval '2 hours')"
    )
    after = rows(varied, "select * from reports.coverage")
    assert [row[:8] for row in after] == [row[:8] for row in before]


def test_the_relations_read_by_student_are_those_that_the_extraction_reads_so() -> None:
    by_student = [t for t in TABLES.values() if t.backfill and t.parents == "users"]
    assert sorted(table.mirror for table in by_student if table.mirror) == NAMED
