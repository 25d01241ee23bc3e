{#- A share of a whole from 0 to 1, in as many decimals as one more or less would show in, and 3 at least. -#}
{% macro share(part, whole) %}
{{ rounded_quotient(part, whole, 'greatest(3, length((' ~ whole ~ ')::text))') }}
{%- endmacro %}

{#- A figure over a relation: null while too few of the campus' students were read (`is_read`). -#}
{% macro where_read(figure, coverage='coverage') %}
case when {{ coverage }}.is_read then {{ figure }} end
{%- endmacro %}
