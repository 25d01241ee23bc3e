with listed_coalitions as (
    select * from {{ ref('stg_fortytwo__coalitions') }}
),

coalition_blocs as (
    select * from {{ ref('int_coalitions__blocs') }}
),

with_bloc as (
    select
        listed_coalitions.id,
        listed_coalitions.name,
        listed_coalitions.slug,
        listed_coalitions.image_url,
        listed_coalitions.cover_url,
        listed_coalitions.color,
        listed_coalitions.score,
        listed_coalitions.user_id,
        coalition_blocs.bloc_id,
        coalition_blocs.campus_id,
        coalition_blocs.cursus_id
    from listed_coalitions
    left join coalition_blocs on listed_coalitions.id = coalition_blocs.coalition_id
)

select * from with_bloc
