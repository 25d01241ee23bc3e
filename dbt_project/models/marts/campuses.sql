with listed_campuses as (
    select * from {{ ref('stg_fortytwo__campuses') }}
),

active_campuses as (
    select * from {{ ref('int_campuses__active') }}
),

kept as (
    select
        listed_campuses.id,
        listed_campuses.name,
        listed_campuses.time_zone,
        listed_campuses.language,
        listed_campuses.users_count,
        listed_campuses.vogsphere_id,
        listed_campuses.country,
        listed_campuses.address,
        listed_campuses.zip,
        listed_campuses.city,
        listed_campuses.website,
        listed_campuses.facebook,
        listed_campuses.twitter,
        listed_campuses.active,
        listed_campuses.public,
        listed_campuses.email_extension,
        listed_campuses.default_hidden_phone,
        listed_campuses.endpoint
    from listed_campuses
    inner join active_campuses on listed_campuses.id = active_campuses.id
)

select * from kept
