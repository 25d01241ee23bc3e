/*
What it checks: every campus name of an achievement, and every answer of a campus that was asked,
led to a pair in campus_achievements or to a row in int_rejected_rows.
When it matters: a name that leads nowhere unrecorded is an achievement missing from a campus.
How to resolve: compare the achievement's names in stg_fortytwo__achievement_campuses with its pairs
in int_campus_achievements__resolved.
*/
with names as (
    select * from {{ ref('stg_fortytwo__achievement_campuses') }}
),

campuses as (
    select * from {{ ref('stg_fortytwo__campuses') }}
),

answers as (
    select * from {{ ref('stg_fortytwo__campus_achievements') }}
),

campus_achievements as (
    select * from {{ ref('campus_achievements') }}
),

rejected_rows as (
    select * from {{ ref('int_rejected_rows') }}
    where table_name = 'campus_achievements'
),

accounted_pairs as (
    select
        campus_id,
        achievement_id
    from campus_achievements
    union all
    select
        (key ->> 'campus_id')::bigint as campus_id,
        (key ->> 'achievement_id')::bigint as achievement_id
    from rejected_rows
    where (key ->> 'campus_id') is not null
),

accounted_names as (
    select
        accounted_pairs.achievement_id,
        campuses.name as campus_name
    from accounted_pairs
    inner join campuses on accounted_pairs.campus_id = campuses.id
    union
    select
        (key ->> 'achievement_id')::bigint as achievement_id,
        key ->> 'campus_name' as campus_name
    from rejected_rows
    where (key ->> 'campus_name') is not null
),

unaccounted_names as (
    select
        names.achievement_id,
        names.campus_name
    from names
    left join accounted_names
        on
            names.achievement_id = accounted_names.achievement_id
            and names.campus_name = accounted_names.campus_name
    where accounted_names.achievement_id is null
),

unaccounted_answers as (
    select
        answers.achievement_id,
        answers.campus_id::text as campus_name
    from answers
    left join accounted_pairs
        on
            answers.achievement_id = accounted_pairs.achievement_id
            and answers.campus_id = accounted_pairs.campus_id
    where accounted_pairs.achievement_id is null
),

unaccounted as (
    select * from unaccounted_names
    union all
    select * from unaccounted_answers
)

select * from unaccounted
