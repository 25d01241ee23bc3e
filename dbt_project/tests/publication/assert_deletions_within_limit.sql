/*
What it checks: the candidate deletes at most 10 % of any table of mirror (MAX_DELETE_FRACTION), or
fewer than 20 rows.
When it matters: a page that came back empty or a rule turned round looks like mass deletion; nothing
is published and no history is written until somebody has looked.
How to resolve: look at the rows (`select * from intermediate.<table>__differences where _action =
'delete'`) and at ops.rejected_rows. If they are gone indeed, run once more with ALLOW_DELETES=1.
*/
{{ config(enabled=target.type == 'postgres') }}
{% for table in var('published_tables') -%}
    {%- do ref(table) -%}
{%- endfor -%}
{{ mass_deletions_sql() }}
