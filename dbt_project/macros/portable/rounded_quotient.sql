{#- A quotient, rounded to a number of decimals that may differ from row to row. -#}
{% macro rounded_quotient(part, whole, decimals) -%}
    {{ return(adapter.dispatch('rounded_quotient')(part, whole, decimals)) }}
{%- endmacro %}

{% macro default__rounded_quotient(part, whole, decimals) -%}
round(
            ({{ part }})::numeric / nullif({{ whole }}, 0),
            ({{ decimals }})::int
        )
{%- endmacro %}

{#- Spark's round() takes only a constant. -#}
{% macro spark__rounded_quotient(part, whole, decimals) -%}
round(({{ part }}) * power(10, {{ decimals }}) / nullif({{ whole }}, 0)) / power(10, {{ decimals }})
{%- endmacro %}
