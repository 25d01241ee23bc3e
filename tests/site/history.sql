-- A month of an invented installation's runs: nightly full passes, a live pass every hour, a
-- backfill in between, one failure and one stop. Numbers only.
insert into ops.runs
(run_id, mode, status, started_at, finished_at, published_at, calls, rows, rejected, changes,
    seconds, message)
select
    to_char(run.at, 'YYYYMMDD"T"HH24MISS"Z"') || '-test',
    run.mode,
    case when run.hours = 74 then 'failed' when run.hours % 26 = 5 then 'unchanged' else 'published' end,
    run.at,
    run.at + make_interval(secs => run.took),
    case when run.hours <> 74 and run.hours % 26 <> 5
        then run.at + make_interval(secs => run.took) end,
    case run.mode when 'full' then 860 when 'live' then 22 + run.hours % 9 else 700 end,
    jsonb_build_object(
        'cursus', 1,
        'campuses', case when run.hours > 300 then 53 else 54 end,
        'projects', 519 + (720 - run.hours) / 90,
        'achievements', 1042 + (720 - run.hours) / 200,
        'coalitions', 350 + (720 - run.hours) / 400,
        'campus_projects', 20700 + (720 - run.hours) / 3,
        'campus_achievements', 5495 + (720 - run.hours) / 24,
        'project_sessions', 7256 + (720 - run.hours) / 12,
        'users', 40335 + (720 - run.hours) * 2 - 300 * (run.hours < 400)::int,
        'cursus_users', 40335 + (720 - run.hours) * 2 - 300 * (run.hours < 400)::int,
        'projects_users', least(1690000, (721 - run.hours) * 4200) + (720 - run.hours) * 13,
        'achievements_users', least(840000, (721 - run.hours) * 2100) + (720 - run.hours) * 7,
        'coalitions_users', least(78000, (721 - run.hours) * 300) + (720 - run.hours) * 2
    ),
    jsonb_build_object(
        'campus_inactive', 4, 'campus_private', 3, 'campus_too_small', 2, 'cursus_not_anchor', 70,
        'project_without_kept_campus', 19, 'user_campus_not_kept', 212 - run.hours / 10,
        'campus_project_campus_not_kept', 3258, 'session_campus_not_kept', 31,
        'achievement_without_kept_campus', 12, 'campus_achievement_campus_not_kept', 402,
        'cursus_user_user_not_kept', 212, 'coalitions_user_coalition_gone', 9312,
        'projects_user_user_not_kept', 1504, 'achievements_user_user_not_kept', 731
    ),
    jsonb_build_object(
        'users', jsonb_build_object(
            'inserted', case when run.hours = 720 then 40335 else 3 + run.hours % 5 end,
            'updated', 40 + run.hours * 7 % 60, 'deleted', (run.mode = 'full')::int * 9
        ),
        'projects_users', jsonb_build_object(
            'inserted', 90 + run.hours * 31 % 80, 'updated', 130 + run.hours * 17 % 90,
            'deleted', (run.mode = 'full')::int * 4
        ),
        'campus_projects', jsonb_build_object('inserted', 6, 'updated', 0, 'deleted', run.hours % 3)
    ),
    case when run.mode = 'backfill'
        then jsonb_build_object('prepare', 0.4, 'backfill', run.took - 1)
        else jsonb_build_object(
            'prepare', 0.5, 'read', run.took * 0.7, 'load', 3 + run.took * 0.02,
            'build and publish', 24 + run.hours % 4
        )
    end,
    case when run.hours = 74 then 'dbt build failed: nothing was published.' end
from (
    select
        hours,
        date_trunc('hour', now()) - make_interval(hours => hours) + interval '1 minute' as at,
        case when hours % 24 = 0 then 'full' when hours % 24 = 6 then 'backfill' else 'live' end as mode,
        case when hours % 24 = 0 then 460 + hours % 50 when hours % 24 = 6 then 1200 + hours
            else 38 + hours % 17 end as took
    from generate_series(0, 720) as hours
) as run
where run.at + make_interval(secs => run.took) < now();

update ops.runs set phase = 'build and publish' where status = 'failed';

insert into ops.api_calls
(called_at, run_id, path, query, page, status, rows, error, attempt, milliseconds, quota_left)
select
    date_trunc('hour', now()) - make_interval(hours => hours) + make_interval(secs => n * 3),
    'test', '/users', '', n,
    case when n % 97 = 5 then 429 when n % 61 = 7 then 502 else 200 end,
    100,
    case when n % 97 = 5 then 'too many' when n % 61 = 7 then 'bad gateway' else '' end,
    0, 400, 1200 - n
from generate_series(0, 47) as hours
cross join lateral generate_series(
    1, case when hours % 24 = 3 then 1150 when hours % 24 = 9 then 700 else 20 + hours % 7 * 9 end
) as n
where date_trunc('hour', now()) - make_interval(hours => hours) + make_interval(secs => n * 3) < now();

insert into ops.relation_reads (resource, user_id, read_at, checked_at, stale)
select
    resource, id, now() - make_interval(hours => id % 600), now() - make_interval(hours => id % 500),
    id % 173 = 0
from unnest(array['projects_users', 'achievements_users', 'coalitions_users']) as resource
cross join generate_series(1, 2000) as id;

insert into ops.application
(api_url, secret_valid_until, token_valid_until, using_next_secret, seen_at)
values ('https://api.example.org', now() + interval '19 days', now() + interval '1 hour', false, now());
