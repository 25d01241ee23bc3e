with blocs as (
    select * from {{ ref('stg_fortytwo__blocs') }}
),

bloc_coalitions as (
    select * from {{ ref('stg_fortytwo__bloc_coalitions') }}
),

-- A coalition is in one bloc; should two list it, the newer one counts.
coalition_blocs as (
    select distinct on (bloc_coalitions.coalition_id)
        bloc_coalitions.coalition_id,
        bloc_coalitions.bloc_id,
        blocs.campus_id,
        blocs.cursus_id
    from bloc_coalitions
    inner join blocs on bloc_coalitions.bloc_id = blocs.id
    order by bloc_coalitions.coalition_id asc, bloc_coalitions.bloc_id desc
)

select * from coalition_blocs
