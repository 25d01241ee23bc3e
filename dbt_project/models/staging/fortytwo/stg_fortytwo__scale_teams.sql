with source as (
    select * from {{ source('fortytwo', 'scale_teams') }}
),

renamed as (
    select
        id,
        scale_id,
        team_id,
        project_id,
        final_mark,
        (flag ->> 'id')::bigint as flag_id,
        flag ->> 'name' as flag_name,
        (flag ->> 'positive')::boolean as flag_positive,
        feedback_rating,
        corrector_hidden,
        corrected_hidden,
        begin_at,
        filled_at,
        created_at,
        updated_at
    from source
)

select * from renamed
