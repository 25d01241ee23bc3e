with projects as (
    select * from {{ ref('stg_fortytwo__projects') }}
),

classified as (
    select * from {{ ref('int_projects__classified') }}
),

accepted as (
    select
        projects.id,
        projects.name,
        projects.slug,
        projects.difficulty,
        projects.parent_id,
        projects.parent,
        projects.children,
        projects.attachments,
        projects.exam,
        projects.git_id,
        projects.repository,
        projects.recommendation,
        projects.cursus,
        projects.videos,
        projects.created_at,
        projects.updated_at
    from projects
    inner join classified on projects.id = classified.id
    where classified.rule is null
)

select * from accepted
