{#-
    Why this dbt invocation may not publish, in words; an empty list when it may. Publishing takes one
    complete, green `dbt build`: every model, seed and data test selected, none emptied or sampled, and
    whatever ran has passed, snapshots and unit tests too. Without results it judges the selection only.
-#}
{% macro build_gaps(results=none) %}
    {%- set gaps = [] -%}
    {%- set needed = [] -%}
    {%- for node in graph.nodes.values()
        if node.resource_type in ['model', 'seed', 'test']
        and node.config.enabled and node.config.materialized != 'ephemeral' -%}
        {%- do needed.append(node.unique_id) -%}
    {%- endfor -%}
    {%- set left_out = needed | reject('in', selected_resources) | list -%}
    {%- if flags.WHICH != 'build' -%}
        {%- do gaps.append('this was `dbt ' ~ flags.WHICH ~ '`, and only `dbt build` also tests') -%}
    {%- endif -%}
    {%- if flags.EMPTY -%}
        {%- do gaps.append('--empty builds tables without rows') -%}
    {%- endif -%}
    {%- if flags.SAMPLE or flags.EVENT_TIME_START or flags.EVENT_TIME_END -%}
        {%- do gaps.append('--sample and --event-time build a part of the rows') -%}
    {%- endif -%}
    {%- if left_out -%}
        {%- do gaps.append('the selection leaves out ' ~ short_names(left_out, 'models or tests, e.g.')) -%}
    {%- elif results is not none -%}
        {%- set by_outcome = {'passed': [], 'failed': [], 'skipped': []} -%}
        {#- dbt build lists exposures too, as no-op: nothing runs for them. -#}
        {%- for result in results if result.node.resource_type != 'exposure' -%}
            {%- set outcome = 'passed' if result.status in ['success', 'pass', 'warn', 'no-op']
                else 'skipped' if result.status == 'skipped' else 'failed' -%}
            {%- do by_outcome[outcome].append(result.node.unique_id) -%}
        {%- endfor -%}
        {%- set absent = needed | reject('in', by_outcome.values() | sum(start=[])) | list -%}
        {%- for ids, what in [
            (by_outcome.failed, 'failed'), (by_outcome.skipped, 'were skipped'), (absent, 'did not run'),
        ] if ids -%}
            {%- do gaps.append(short_names(ids, what ~ ':')) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(gaps) }}
{% endmacro %}

{#- `6 failed: users, campuses, …`: how many, and five at most by the names that people know. -#}
{% macro short_names(unique_ids, what) -%}
    {%- set names = [] -%}
    {%- for unique_id in unique_ids[:5] -%}
        {%- set parts = unique_id.split('.') -%}
        {%- do names.append(parts[3] if parts[0] == 'unit_test' else parts[2]) -%}
    {%- endfor -%}
    {{ return(unique_ids | length ~ ' ' ~ what ~ ' ' ~ names | join(', ')
        ~ (', …' if unique_ids | length > 5 else '')) }}
{%- endmacro %}
