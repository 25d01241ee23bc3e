/*
What it checks: dlt has not split a column of raw in two (`wallet` and `wallet__v_text`).
When it matters: dlt does so when a value has another type than the column; the value is then in the
variant column, and null where models read it.
How to resolve: find the rows where the variant is not null, correct the type in the extraction's
contract, drop the variant column and read the resource again.
*/
with columns_of_raw as (
    select
        table_name,
        column_name
    from information_schema.columns
    where table_schema = '{{ source("fortytwo", "users").schema }}'
),

variant_columns as (
    select
        table_name,
        column_name
    from columns_of_raw
    where column_name like '%!_!_v!_%' escape '!'
)

select * from variant_columns
