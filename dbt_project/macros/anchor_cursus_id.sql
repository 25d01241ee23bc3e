{#- The id of the one cursus that is mirrored. -#}
{% macro anchor_cursus_id() -%}
    {{ (env_var('FORTYTWO_CURSUS_ID', '') or 21) | int }}
{%- endmacro %}
