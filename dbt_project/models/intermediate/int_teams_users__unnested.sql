select * from {{ ref('stg_fortytwo__teams_users') }}
