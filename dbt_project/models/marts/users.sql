with users as (
    select * from {{ ref('stg_fortytwo__users') }}
),

classified as (
    select * from {{ ref('int_users__classified') }}
),

accepted as (
    select
        users.id,
        users.email,
        users.login,
        users.first_name,
        users.last_name,
        users.usual_full_name,
        users.usual_first_name,
        users.url,
        users.phone,
        users.displayname,
        users.kind,
        users.image,
        users.staff,
        users.correction_point,
        users.pool_month,
        users.pool_year,
        users.location,
        users.wallet,
        users.anonymize_date,
        users.data_erasure_date,
        users.created_at,
        users.updated_at,
        users.alumnized_at,
        users.alumni,
        users.active,
        users.campus_id
    from users
    inner join classified on users.id = classified.id
    where classified.rule is null
)

select * from accepted
