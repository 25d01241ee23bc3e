{#- No two rows agree in all the columns. -#}
{% test unique_combination_of_columns(model, columns) %}

with validated as (
    select * from {{ model }}
),

repeated as (
    select
        {{ columns | join(', ') }},
        count(*) as rows_alike
    from validated
    group by {{ columns | join(', ') }}
    having count(*) > 1
)

select * from repeated

{% endtest %}
