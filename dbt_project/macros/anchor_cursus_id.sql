{#- The one cursus that is mirrored; FORTYTWO_CURSUS_ID, 21 (42cursus) when unset or blank. -#}
{% macro anchor_cursus_id() -%}
    {{ (env_var('FORTYTWO_CURSUS_ID', '') or 21) | int }}
{%- endmacro %}
