with scale_teams as (
    select * from {{ published('scale_teams') }}
),

scale_teams_users as (
    select * from {{ published('scale_teams_users') }}
),

users as (
    select * from {{ published('users') }}
),

campuses as (
    select * from {{ ref('int_campuses__local') }}
),

parts as (
    select
        users.id as user_id,
        users.login,
        campuses.id as campus_id,
        campuses.name as campus_name,
        date_trunc('week', scale_teams.begin_at at time zone campuses.time_zone)::date
            as week,
        scale_teams_users.role,
        -- An evaluation is held once it has a mark.
        scale_teams.final_mark is not null as is_held
    from scale_teams_users
    inner join scale_teams on scale_teams_users.scale_team_id = scale_teams.id
    inner join users on scale_teams_users.user_id = users.id
    inner join campuses on users.campus_id = campuses.id
),

evaluations as (
    select
        user_id,
        login,
        campus_id,
        campus_name,
        week,
        count(*) filter (where role = 'corrector' and is_held) as given,
        count(*) filter (where role = 'corrected' and is_held) as received,
        count(*) filter (where role = 'truant') as missed
    from parts
    where is_held or role = 'truant'
    group by user_id, login, campus_id, campus_name, week
)

select * from evaluations
