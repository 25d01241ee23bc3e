{#-
    The end of the last good run: what was read after it is in raw, and not in mirror yet. Elsewhere raw is
    copied and built whole.
-#}
{% macro published_until() %}
    {{ return(adapter.dispatch('published_until')()) }}
{% endmacro %}

{% macro postgres__published_until() -%}
(
        select max(coalesce(published_at, finished_at))
        from {{ source('ops', 'runs') }}
        where published_at is not null or status = 'unchanged'
    )
{%- endmacro %}

{% macro default__published_until() -%}
'infinity'::timestamptz
{%- endmacro %}

{% macro spark__published_until() -%}
timestamp '9999-12-31'
{%- endmacro %}
