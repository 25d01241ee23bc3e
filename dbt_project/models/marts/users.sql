with listed_users as (
    select * from {{ ref('stg_fortytwo__users') }}
),

students as (
    select * from {{ ref('int_users__students') }}
),

kept as (
    select
        listed_users.id,
        listed_users.email,
        listed_users.login,
        listed_users.first_name,
        listed_users.last_name,
        listed_users.usual_full_name,
        listed_users.usual_first_name,
        listed_users.url,
        listed_users.phone,
        listed_users.displayname,
        listed_users.kind,
        listed_users.image,
        listed_users.staff,
        listed_users.correction_point,
        listed_users.pool_month,
        listed_users.pool_year,
        listed_users.location,
        listed_users.wallet,
        listed_users.anonymize_date,
        listed_users.data_erasure_date,
        listed_users.created_at,
        listed_users.updated_at,
        listed_users.alumnized_at,
        listed_users.alumni,
        listed_users.active,
        listed_users.campus_id
    from listed_users
    inner join students on listed_users.id = students.id
)

select * from kept
