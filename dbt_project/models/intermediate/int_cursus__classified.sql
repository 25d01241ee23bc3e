with cursus as (
    select * from {{ ref('stg_fortytwo__cursus') }}
),

classified as (
    select
        id,
        {{ json_object({'id': 'id'}) }} as key,
        case when id <> {{ anchor_cursus_id() }} then 'cursus_not_anchor' end as rule
    from cursus
)

select * from classified
