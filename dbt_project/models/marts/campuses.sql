with campuses as (
    select * from {{ ref('stg_fortytwo__campuses') }}
),

classified as (
    select * from {{ ref('int_campuses__classified') }}
),

accepted as (
    select
        campuses.id,
        campuses.name,
        campuses.time_zone,
        campuses.language,
        campuses.users_count,
        campuses.vogsphere_id,
        campuses.country,
        campuses.address,
        campuses.zip,
        campuses.city,
        campuses.website,
        campuses.facebook,
        campuses.twitter,
        campuses.active,
        campuses.public,
        campuses.email_extension,
        campuses.default_hidden_phone,
        campuses.endpoint
    from campuses
    inner join classified on campuses.id = classified.id
    where classified.rule is null
)

select * from accepted
