with classified as (
    select * from {{ ref('int_quests_users__classified') }}
),

accepted as (
    select
        id,
        user_id,
        quest_id,
        end_at,
        validated_at,
        prct,
        advancement,
        created_at,
        updated_at
    from classified
    where rule is null
)

select * from accepted
