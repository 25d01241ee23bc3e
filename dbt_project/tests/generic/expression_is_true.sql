{#- The expression holds on every row; null does not count as true. -#}
{% test expression_is_true(model, expression) %}

with validated as (
    select * from {{ model }}
),

exceptions as (
    select *
    from validated
    where ({{ expression }}) is not true
)

select * from exceptions

{% endtest %}
