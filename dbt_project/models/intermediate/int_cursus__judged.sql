with cursus as (
    select * from {{ ref('stg_fortytwo__cursus') }}
),

judged as (
    select
        id,
        case when id <> {{ anchor_cursus_id() }} then 'cursus_not_anchor' end as rule
    from cursus
)

select * from judged
