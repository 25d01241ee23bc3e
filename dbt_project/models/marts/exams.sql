with classified as (
    select * from {{ ref('int_exams__classified') }}
),

accepted as (
    select
        id,
        campus_id,
        name,
        location,
        max_people,
        nbr_subscribers,
        begin_at,
        end_at,
        created_at,
        updated_at
    from classified
    where rule is null
)

select * from accepted
