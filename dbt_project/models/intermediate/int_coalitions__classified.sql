with coalitions as (
    select * from {{ ref('stg_fortytwo__coalitions') }}
),

blocs as (
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
),

classified as (
    select
        coalitions.*,
        coalition_blocs.bloc_id,
        coalition_blocs.campus_id,
        coalition_blocs.cursus_id,
        {{ json_object({'id': 'coalitions.id'}) }} as key,
        -- Rule 6 leaves none out.
        cast(null as text) as rule
    from coalitions
    left join coalition_blocs on coalitions.id = coalition_blocs.coalition_id
)

select * from classified
