{#-
    Pre-hook of every snapshot. Snapshots are taken of what is about to be published only: rows that a
    sample or an --empty build lacks would be recorded as deleted. Its refs put the tests of all marts
    before all snapshots, so that a candidate that fails leaves no trace in the history.
-#}
{% macro prepare_snapshot() %}
    {%- for table in var('published_tables') + ['int_rejected_rows'] -%}
        {%- do ref(table) -%}
    {%- endfor -%}
    {%- if not execute -%}
        {{ return('') }}
    {%- endif -%}
    {%- set gaps = build_gaps() -%}
    {%- if gaps -%}
        {{ exceptions.raise_compiler_error(
            'The history is written by a complete `dbt build` only, and ' ~ gaps | join('; ')
            ~ '. Leave it out: --exclude-resource-type snapshot.'
        ) }}
    {%- endif -%}
    {%- set mart = graph.nodes[model.depends_on.nodes[0]] -%}
do $snapshot$
begin
    if not exists (
        select from ops.candidates
        where candidates.table_name = {{ sql_text(mart.alias) }}
            and candidates.rows = (select count(*) from {{ mart.relation_name }})
    ) then
        raise exception 'The server has restarted since the tables of marts were built and tested, which '
            'emptied them; nothing was recorded. Run again.';
    end if;
    perform ops.align_history(
        {{ sql_text(mart.alias) }}, string_to_array({{ sql_text(ignored_columns() | join(',')) }}, ',')
    );
end
$snapshot$
{% endmacro %}

{% macro ignored_columns() %}
    {{ return(config.get('meta', {}).get('ignored_columns', [])) }}
{% endmacro %}

{#-
    A strategy of snapshots, as dbt lets a project bring its own: a version for each change of content,
    but for `meta: ignored_columns`, at the start of the run, the same for all snapshots.
-#}
{% macro snapshot_content_strategy(node, snapshotted_rel, current_rel, model_config, target_exists) %}
    {%- set changed = [] -%}
    {%- for column in get_columns_in_query(node['compiled_code']) | reject('in', ignored_columns()) -%}
        {%- do changed.append(
            snapshotted_rel ~ '.' ~ adapter.quote(column) ~ ' is distinct from '
            ~ current_rel ~ '.' ~ adapter.quote(column)
        ) -%}
    {%- endfor -%}
    {%- set unique_key = config.get('unique_key') -%}
    {{ return({
        'unique_key': unique_key,
        'updated_at': snapshot_get_time(),
        'row_changed': '(' ~ (changed | join(' or ') or 'false') ~ ')',
        'scd_id': snapshot_hash_arguments([unique_key, snapshot_get_time()]),
        'invalidate_hard_deletes': false,
        'hard_deletes': adapter.get_hard_deletes_behavior(config),
    }) }}
{% endmacro %}

{#-
    dbt's own gives the server's local time without its zone: this gives the start of the run, the same
    for all snapshots. In its place, because dbt also dates deletions by it.
-#}
{% macro postgres__snapshot_get_time() -%}
    '{{ run_started_at }}'::timestamp with time zone
{%- endmacro %}
