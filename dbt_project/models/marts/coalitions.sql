with classified as (
    select * from {{ ref('int_coalitions__classified') }}
),

accepted as (
    select
        id,
        name,
        slug,
        image_url,
        cover_url,
        color,
        score,
        user_id,
        bloc_id,
        campus_id,
        cursus_id
    from classified
    where rule is null
)

select * from accepted
