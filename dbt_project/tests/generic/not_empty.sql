{#-
What it checks: the list has a row at least.
When it matters: these lists are never empty, so an empty one is a failed read, and publishing it
would delete the whole table.
How to resolve: run the extraction again and look at its record in ops.api_calls.
-#}
{% test not_empty(model) %}

with rows_found as (
    select count(*) as total from {{ model }}
),

emptiness as (
    select total
    from rows_found
    where total = 0
)

select * from emptiness

{% endtest %}
