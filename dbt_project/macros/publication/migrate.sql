{#-
    A changed contract changes the table of mirror, in the publication's own transaction. Two halves:
    `migrate_before_sql` makes room for the new rows (columns added, widened, dropped; not null lifted),
    `migrate_after_sql` makes the promises that only the new rows can keep (not null, keys, indexes).
    With an unchanged contract both are empty and nobody's lock is asked for.
-#}
{% macro migration(spec, live, candidate) %}
    {%- set added = [] -%}
    {%- set retyped = [] -%}
    {%- set nullable = [] -%}
    {%- set not_null = [] -%}
    {%- for column in spec.columns.values() -%}
        {%- set type = candidate.columns[column.name].type -%}
        {%- set old = live.columns.get(column.name) -%}
        {%- if old is none -%}
            {%- do added.append({'name': column.name, 'type': type}) -%}
        {%- elif old.type != type -%}
            {%- do retyped.append({'name': column.name, 'type': type, 'old_type': old.type}) -%}
        {%- endif -%}
        {%- if column.not_null and not (old and old.not_null) -%}
            {%- do not_null.append(column.name) -%}
        {%- elif old and old.not_null and not column.not_null -%}
            {%- do nullable.append(column.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set dropped = live.columns.keys() | reject('in', spec.columns) | list -%}
    {%- set wanted_foreign_keys = wanted_keys(spec) -%}
    {%- set missing_keys = wanted_foreign_keys | reject('in', present_keys(live)) | list -%}
    {%- set surplus = [] -%}
    {%- for key in live['keys'] if key.kind == 'f' and key_text(key) not in wanted_foreign_keys -%}
        {%- do surplus.append(key.name) -%}
    {%- endfor -%}
    {{ return({
        'added': added, 'retyped': retyped, 'dropped': dropped, 'nullable': nullable,
        'not_null': not_null, 'missing_keys': missing_keys, 'surplus_keys': surplus,
        'exclusive': (added + retyped + dropped + nullable + not_null + surplus) | length > 0,
    }) }}
{% endmacro %}

{#- Keys as comparable text: `f campus_id > mirror.campuses id`, `u login`. -#}
{% macro wanted_keys(spec) %}
    {%- set keys = [] -%}
    {%- for key in spec.foreign_keys -%}
        {%- do keys.append(
            'f ' ~ key.column ~ ' > ' ~ mirror_schema() ~ '.' ~ key.parent ~ ' ' ~ key.parent_column
        ) -%}
    {%- endfor -%}
    {%- for column in spec.unique_columns -%}
        {%- do keys.append('u ' ~ column) -%}
    {%- endfor -%}
    {{ return(keys | unique | list) }}
{% endmacro %}

{% macro key_text(key) -%}
    {%- if key.kind == 'f' and key.as_made_here -%}
        {{ return('f ' ~ key['columns'] | join(' ') ~ ' > ' ~ key.parent ~ ' '
            ~ key.parent_columns | join(' ')) }}
    {%- endif -%}
    {{ return(key.kind ~ ' ' ~ key['columns'] | join(' ')) }}
{%- endmacro %}

{% macro present_keys(live) %}
    {%- set keys = [] -%}
    {%- for key in live['keys'] -%}
        {%- do keys.append(key_text(key)) -%}
    {%- endfor -%}
    {{ return(keys) }}
{% endmacro %}

{% macro migrate_before_sql(spec, live, change) -%}
{%- if not change.exclusive -%}
    {{ return('') }}
{%- endif %}
{% for name in change.surplus_keys %}
alter table {{ spec.live }} drop constraint {{ adapter.quote(name) }};
{% endfor -%}
{% for name in change.nullable %}
alter table {{ spec.live }} alter column {{ adapter.quote(name) }} drop not null;
{% endfor -%}
{% for column in change.added %}
alter table {{ spec.live }} add column {{ adapter.quote(column.name) }} {{ column.type }};
{% endfor -%}
{% if change.retyped or change.dropped -%}
{{ change_columns_sql(spec, change.retyped, change.dropped) }}
{% endif -%}
{%- endmacro %}

{% macro migrate_after_sql(spec, live, change) -%}
{%- for name in change.not_null %}
alter table {{ spec.live }} alter column {{ adapter.quote(name) }} set not null;
{%- endfor -%}
{%- set indexes = (live['indexes'] | list) -%}
{%- for column in spec.unique_columns if 'u ' ~ column in change.missing_keys %}
alter table {{ spec.live }} add unique ({{ adapter.quote(column) }}) deferrable;
{%- do indexes.append([column]) -%}
{%- endfor -%}
{%- for columns in wanted_indexes(spec) if not is_indexed(columns, indexes) %}
create index on {{ spec.live }} ({{ column_list(columns) }});
{%- do indexes.append(columns) -%}
{%- endfor -%}
{%- for key in spec.foreign_keys
    if 'f ' ~ key.column ~ ' > ' ~ mirror_schema() ~ '.' ~ key.parent ~ ' ' ~ key.parent_column
        in change.missing_keys %}
alter table {{ spec.live }} add foreign key ({{ adapter.quote(key.column) }})
    references {{ adapter.quote(mirror_schema()) }}.{{ adapter.quote(key.parent) }}
    ({{ adapter.quote(key.parent_column) }}) on delete cascade deferrable;
{%- endfor -%}
{{ comments_sql(spec, live) }}
{%- endmacro %}

{#- Every foreign key (else each deleted parent reads all of its children), then the declared ones. -#}
{% macro wanted_indexes(spec) %}
    {%- set indexes = [] -%}
    {%- for key in spec.foreign_keys -%}
        {%- do indexes.append([key.column]) -%}
    {%- endfor -%}
    {{ return(indexes + spec.indexes) }}
{% endmacro %}

{#- An index serves these columns when it begins with them. -#}
{% macro is_indexed(columns, indexes) %}
    {%- for index in indexes if index and index[:columns | length] == columns -%}
        {{ return(true) }}
    {%- endfor -%}
    {{ return(false) }}
{% endmacro %}
