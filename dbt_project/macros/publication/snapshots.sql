{#-
    Snapshots are taken by a complete `dbt build` only: rows that a sample or an --empty build lacks
    would be recorded as deleted. Otherwise dbt's own materialization, unchanged.
-#}
{% materialization snapshot, adapter='postgres' %}
    {%- if build_gaps() -%}
        {% call noop_statement('main', 'LEFT AS IT IS') %}{% endcall %}
        {{ return({'relations': []}) }}
    {%- endif -%}
    {%- if not candidate_is_whole() -%}
        {{ exceptions.raise_compiler_error(
            'The server has restarted since the tables of marts were built and tested, which emptied '
            ~ 'them; nothing was recorded. Run again.'
        ) }}
    {%- endif -%}
    {{ return(dbt.materialization_snapshot_default()) }}
{% endmaterialization %}

{#-
    dbt's own list of columns whose change makes a version, less `meta: ignored_columns`: so a column that
    joins or leaves a contract needs no word in the snapshot.
-#}
{% macro snapshot_check_all_get_existing_columns(node, target_exists, check_cols_config) %}
    {%- set found = dbt.snapshot_check_all_get_existing_columns(
        node, target_exists, check_cols_config
    ) -%}
    {%- set ignored = config.get('meta', {}).get('ignored_columns', []) -%}
    {%- set watched = [] -%}
    {%- for column in found[1] if column.strip('"') not in ignored -%}
        {%- do watched.append(column) -%}
    {%- endfor -%}
    {{ return((found[0], watched)) }}
{% endmacro %}

{#- Whether the mart of a snapshot, the first that it names, has the rows it was tested with. -#}
{% macro candidate_is_whole() %}
    {%- set mart = graph.nodes[model.depends_on.nodes[0]] -%}
    {%- set query -%}
select exists (
    select from ops.candidates
    where candidates.table_name = {{ sql_text(mart.alias) }}
        and candidates.rows = (select count(*) from {{ mart.relation_name }})
)
    {%- endset -%}
    {{ return(run_query(query).rows[0][0]) }}
{% endmacro %}

{#-
    Pre-hook of every snapshot, for its refs alone: they put the tests of all marts before all snapshots,
    so that a candidate that fails leaves no trace in the history. (dbt's partial parsing does not
    notice a change of the list: run once with --no-partial-parse.)
-#}
{% macro gate_snapshot() %}
    {%- for table in var('published_tables') + ['int_rejected_rows'] -%}
        {%- do ref(table) -%}
    {%- endfor -%}
{% endmacro %}

{#-
    dbt's own gives the server's local time without saying which: this gives the start of the run, with
    its time zone, the same for all snapshots of a run.
-#}
{% macro postgres__snapshot_get_time() -%}
    '{{ run_started_at }}'::timestamp with time zone
{%- endmacro %}
