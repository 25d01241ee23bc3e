select * from {{ ref('stg_fortytwo__scale_teams_users') }}
