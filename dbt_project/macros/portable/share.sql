{#- A share of a whole from 0 to 1, in as many decimals as one more or less would show in, and 3 at least. -#}
{% macro share(part, whole) -%}
    {%- set decimals = 'greatest(3, length((' ~ whole ~ ')::text))' -%}
    {%- if target.type in ['postgres', 'duckdb'] -%}
        round(({{ part }})::numeric / nullif({{ whole }}, 0), ({{ decimals }})::int)
    {%- else -%}{#- Spark's round() takes only a constant -#}
        round(({{ part }}) * power(10, {{ decimals }}) / nullif({{ whole }}, 0)) / power(10, {{ decimals }})
    {%- endif -%}
{%- endmacro %}

{#- A figure over a relation: null while too few of the campus' students were read (`is_read`). -#}
{% macro where_read(figure, coverage='coverage') -%}
    case when {{ coverage }}.is_read then {{ figure }} end
{%- endmacro %}
