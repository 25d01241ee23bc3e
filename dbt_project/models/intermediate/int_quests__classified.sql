with quests as (
    select * from {{ ref('stg_fortytwo__quests') }}
),

accepted_cursus as (
    select id
    from {{ ref('int_cursus__classified') }}
    where rule is null
),

classified as (
    select
        quests.*,
        {{ json_object({'id': 'quests.id'}) }} as key,
        case when accepted_cursus.id is null then 'quest_cursus_not_kept' end as rule
    from quests
    left join accepted_cursus on quests.cursus_id = accepted_cursus.id
)

select * from classified
