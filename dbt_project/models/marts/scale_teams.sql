with classified as (
    select * from {{ ref('int_scale_teams__classified') }}
),

accepted as (
    select
        id,
        scale_id,
        team_id,
        project_id,
        final_mark,
        flag_id,
        flag_name,
        flag_positive,
        feedback_rating,
        corrector_hidden,
        corrected_hidden,
        begin_at,
        filled_at,
        created_at,
        updated_at
    from classified
    where rule is null
)

select * from accepted
