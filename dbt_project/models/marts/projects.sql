with listed_projects as (
    select * from {{ ref('stg_fortytwo__projects') }}
),

offered_projects as (
    select * from {{ ref('int_projects__offered') }}
),

kept as (
    select
        listed_projects.id,
        listed_projects.name,
        listed_projects.slug,
        listed_projects.difficulty,
        listed_projects.parent_id,
        listed_projects.parent,
        listed_projects.children,
        listed_projects.attachments,
        listed_projects.exam,
        listed_projects.git_id,
        listed_projects.repository,
        listed_projects.recommendation,
        listed_projects.cursus,
        listed_projects.videos,
        listed_projects.created_at,
        listed_projects.updated_at
    from listed_projects
    inner join offered_projects on listed_projects.id = offered_projects.id
)

select * from kept
