{#- The columns identify a row: none of them is null, and no two rows agree in all of them. -#}
{% test primary_key(model, column_name=none, columns=none) %}

{%- set key = columns or [column_name] -%}

with validated as (
    select * from {{ model }}
),

counted as (
    select
        {{ key | join(', ') }},
        count(*) as rows_alike
    from validated
    group by {{ key | join(', ') }}
),

exceptions as (
    select *
    from counted
    where rows_alike > 1 or {{ key | join(' is null or ') }} is null
)

select * from exceptions

{% endtest %}
