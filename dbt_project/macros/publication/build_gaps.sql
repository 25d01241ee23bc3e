{#-
    Why this dbt invocation may not publish, in words; an empty list when it may. Publishing takes one
    complete, green `dbt build`: every model, seed and data test selected, none emptied or sampled.
    Called without results (at the start of a run) it judges the selection only.
-#}
{% macro build_gaps(results=none) %}
    {%- set gaps = [] -%}
    {%- if flags.WHICH != 'build' -%}
        {%- do gaps.append('this was `dbt ' ~ flags.WHICH ~ '`, and only `dbt build` also tests') -%}
    {%- endif -%}
    {%- if flags.EMPTY -%}
        {%- do gaps.append('--empty builds tables without rows') -%}
    {%- endif -%}
    {%- if flags.SAMPLE or flags.EVENT_TIME_START or flags.EVENT_TIME_END -%}
        {%- do gaps.append('--sample and --event-time build a part of the rows') -%}
    {%- endif -%}
    {%- set left_out = needed_nodes() | reject('in', selected_resources) | list -%}
    {%- if left_out -%}
        {%- do gaps.append(
            'the selection leaves out ' ~ left_out | length ~ ' models or tests, e.g. '
            ~ short_names(left_out)
        ) -%}
    {%- endif -%}
    {%- if results is not none and not left_out -%}
        {%- do gaps.extend(result_gaps(results)) -%}
    {%- endif -%}
    {{ return(gaps) }}
{% endmacro %}

{% macro needed_nodes() %}
    {%- set needed = [] -%}
    {%- for node in graph.nodes.values()
        if node.resource_type in ['model', 'seed', 'test']
        and node.config.enabled and node.config.materialized != 'ephemeral' -%}
        {%- do needed.append(node.unique_id) -%}
    {%- endfor -%}
    {{ return(needed) }}
{% endmacro %}

{#- Whatever ran has to have passed (snapshots and unit tests too), and whatever is needed has run. -#}
{% macro result_gaps(results) %}
    {%- set gaps = [] -%}
    {%- set passed = [] -%}
    {%- set failed = [] -%}
    {%- set skipped = [] -%}
    {#- dbt build lists exposures too, as no-op: nothing runs for them. -#}
    {%- for result in results if result.node.resource_type != 'exposure' -%}
        {%- set status = result.status | string -%}
        {%- if status in ['success', 'pass', 'warn', 'no-op'] -%}
            {%- do passed.append(result.node.unique_id) -%}
        {%- elif status == 'skipped' -%}
            {%- do skipped.append(result.node.unique_id) -%}
        {%- else -%}
            {%- do failed.append(result.node.unique_id) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if failed -%}
        {%- do gaps.append(failed | length ~ ' failed: ' ~ short_names(failed)) -%}
    {%- endif -%}
    {%- if skipped -%}
        {%- do gaps.append(skipped | length ~ ' were skipped: ' ~ short_names(skipped)) -%}
    {%- endif -%}
    {%- set lacking = needed_nodes() | reject('in', passed + failed + skipped) | list -%}
    {%- if lacking -%}
        {%- do gaps.append(lacking | length ~ ' did not run: ' ~ short_names(lacking)) -%}
    {%- endif -%}
    {{ return(gaps) }}
{% endmacro %}

{#- Model and test names as people know them, five at most. -#}
{% macro short_names(unique_ids) -%}
    {%- set names = [] -%}
    {%- for unique_id in unique_ids[:5] -%}
        {%- set parts = unique_id.split('.') -%}
        {%- do names.append(parts[3] if parts[0] == 'unit_test' else parts[2]) -%}
    {%- endfor -%}
    {{ return(names | join(', ') ~ (', …' if unique_ids | length > 5 else '')) }}
{%- endmacro %}
