with source as (
    select * from {{ source('fortytwo', 'quests_users') }}
),

-- Each row brings a copy, as old as its own reading: the newest one counts.
newest as (
    select distinct on (quest_id)
        quest_id,
        quest
    from source
    where quest_id is not null and quest is not null
    order by quest_id asc, quest ->> 'updated_at' desc nulls last, id desc
),

renamed as (
    select
        quest_id as id,
        quest ->> 'name' as name,
        quest ->> 'slug' as slug,
        quest ->> 'kind' as kind,
        quest ->> 'internal_name' as internal_name,
        (quest ->> 'cursus_id')::bigint as cursus_id,
        (quest ->> 'campus_id')::bigint as campus_id,
        (quest ->> 'grade_id')::bigint as grade_id,
        (quest ->> 'position')::bigint as position,
        (quest ->> 'created_at')::timestamptz as created_at,
        (quest ->> 'updated_at')::timestamptz as updated_at
    from newest
)

select * from renamed
