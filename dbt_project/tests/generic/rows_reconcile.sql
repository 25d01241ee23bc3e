{#-
What it checks: every raw row is either in the mart or in int_rejected_rows: the three counts add up.
When it matters: a join that multiplies or loses rows, or a rule that is not recorded, shows here.
How to resolve: compare the keys of the three; a row in neither needs a rule, a row in both has two.
-#}
{% test rows_reconcile(model, raw, table_name=none) %}

with counts as (
    select
        (select count(*) from {{ raw }}) as raw_rows,
        (
            select count(*) from {{ ref('int_rejected_rows') }}
            where table_name = '{{ table_name or model.identifier }}'
        ) as rejected_rows,
        (select count(*) from {{ model }}) as kept_rows
)

select * from counts
where raw_rows - rejected_rows <> kept_rows

{% endtest %}
