{#-
    First post-hook of every mart: its primary key, `meta: primary_key`. No constraint of the contract, with
    which each row is put into the index as it comes: five times the work.
-#}
{% macro add_primary_key() -%}
    {{ return(adapter.dispatch('add_primary_key')()) }}
{%- endmacro %}

{% macro default__add_primary_key() -%}
    alter table {{ this }} add primary key ({{ model.config.meta.primary_key | join(', ') }})
{%- endmacro %}

{#- Its tables are files, which know no constraints. -#}
{% macro spark__add_primary_key() -%}
{%- endmacro %}
