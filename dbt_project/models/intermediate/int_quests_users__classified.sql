with quests_users as (
    select * from {{ ref('stg_fortytwo__quests_users') }}
),

accepted_quests as (
    select id
    from {{ ref('int_quests__classified') }}
    where rule is null
),

accepted_users as (
    select id
    from {{ ref('int_users__classified') }}
    where rule is null
),

classified as (
    select
        quests_users.*,
        {{ json_object({'id': 'quests_users.id'}) }} as key,
        case
            when accepted_quests.id is null then 'quests_user_quest_not_kept'
            when accepted_users.id is null then 'quests_user_user_not_kept'
        end as rule
    from quests_users
    left join accepted_quests on quests_users.quest_id = accepted_quests.id
    left join accepted_users on quests_users.user_id = accepted_users.id
)

select * from classified
