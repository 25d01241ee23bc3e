{#-
What it checks: every raw row is either in the mart or in int_rejected_rows, and in one of them only.
When it matters: a join that loses or multiplies rows, or a rule that is not recorded, shows here.
How to resolve: compare the keys; a row in neither place needs a rule, a row in both has two.
-#}
{% test rows_reconcile(model, raw) %}

with raw_rows as (
    select count(*) as total from {{ raw }}
),

kept_rows as (
    select count(*) as total from {{ model }}
),

rejected_rows as (
    select count(*) as total
    from {{ ref('int_rejected_rows') }}
    where table_name = '{{ model.identifier }}'
),

unaccounted as (
    select
        raw_rows.total as in_raw,
        kept_rows.total as kept,
        rejected_rows.total as rejected
    from raw_rows
    cross join kept_rows
    cross join rejected_rows
    where raw_rows.total <> kept_rows.total + rejected_rows.total
)

select * from unaccounted

{% endtest %}
