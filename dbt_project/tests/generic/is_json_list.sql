{#- The JSON column holds lists or nothing: another type is a change of the API's contract. -#}
{% test is_json_list(model, column_name) %}

with validated as (
    select * from {{ model }}
),

other_types as (
    select
        {{ json_kind(column_name) }} as json_type,
        count(*) as rows_found
    from validated
    where {{ json_kind(column_name) }} not in ('array', 'null')
    group by {{ json_kind(column_name) }}
)

select * from other_types

{% endtest %}
