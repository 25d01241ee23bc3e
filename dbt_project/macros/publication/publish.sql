{#-
    on-run-end: bring mirror to the content of marts, in one transaction, when the whole build was green.
    Returns the SQL for dbt to run, because dbt reports a failing script as a failed hook and exits 1.
-#}
{% macro publish() %}
    {%- if not execute or flags.WHICH not in ['build', 'run'] or target.type != 'postgres' -%}
        {{ return('') }}
    {%- endif -%}
    {%- set gaps = build_gaps(results) + deletion_gaps(results) -%}
    {%- if gaps -%}
        {{ return(close_run_sql(gaps)) }}
    {%- endif -%}
    {{ return(publication_sql()) }}
{% endmacro %}

{% macro publication_sql() %}
begin;
set local statement_timeout = 0;
set local lock_timeout = '30s';
select ops.publish(
    specs => {{ sql_text(tojson(publication_specs())) }},
    run => jsonb_build_object(
        'run_id', {{ sql_text(run_id()) }},
        'build_id', {{ sql_text(invocation_id) }},
        'signature', nullif({{ sql_text(env_var('FORTYTWO_SIGNATURE', '')) }}, '')::jsonb
    ),
    settings => {{ sql_text(tojson(publication_settings())) }}
);
commit;
{% endmacro %}

{#-
    `dbt --quiet run-operation show_publication` prints the script that a publication would run now.
    Running it by hand fails, because the candidates are of another run.
-#}
{% macro show_publication() %}
    {%- do print(publication_sql()) -%}
{% endmacro %}

{#- Post-hook of every mart: its table of mirror exists and has its columns before reports need them. -#}
{% macro align_mirror() %}
    {%- if execute and target.type == 'postgres' -%}
do $align$
begin
    if to_regproc('ops.align_mirror') is not null then
        perform ops.align_mirror(
            {{ sql_text(this.identifier) }}, {{ not build_gaps() }}, {{ publication_settings().lock_attempts }}
        );
    end if;
end
$align$
    {%- endif -%}
{% endmacro %}

{#-
    Post-hook of every mart: which run built it, with how many rows, and how it differs from mirror, which is
    found beside the other tables' builds. ops.publish takes no candidate of another run.
-#}
{% macro stamp_candidate() %}
    {%- if execute and target.type == 'postgres' and not build_gaps() -%}
insert into ops.candidates (table_name, relation, run_id, rows, mirror_rows, deletions, compared_since)
select
    {{ sql_text(this.identifier) }},
    {{ sql_text(this) }}::regclass,
    {{ sql_text(invocation_id) }},
    (select count(*) from {{ this }}),
    compared.*
from ops.compare({{ sql_text(this.identifier) }}) as compared
on conflict (table_name) do update
set (relation, run_id, built_at, rows, mirror_rows, deletions, compared_since) = row(
    excluded.relation, excluded.run_id, now(), excluded.rows,
    excluded.mirror_rows, excluded.deletions, excluded.compared_since
)
    {%- endif -%}
{% endmacro %}

{#- Of the test assert_deletions_within_limit. A build that does not publish anyway is not asked. -#}
{% macro mass_deletions_sql() -%}
    {%- set settings = publication_settings() -%}
    {%- if not execute or settings.allow_deletes or build_gaps() -%}
        select null::text as reason where false
    {%- else -%}
        select format('it would delete %s of %s rows of %s', deletions, mirror_rows, table_name) as reason
        from ops.candidates
        where
            table_name in ('{{ var('published_tables') | join("', '") }}')
            and ops.is_mass_deletion(deletions, mirror_rows, {{ sql_text(tojson(settings)) }})
    {%- endif -%}
{%- endmacro %}

{#- What that test found. -#}
{% macro deletion_gaps(results) -%}
    {%- for result in results
        if result.node.name == 'assert_deletions_within_limit' and result.status | string == 'fail' -%}
        {%- set reasons = run_query(mass_deletions_sql()).columns['reason'].values() | list -%}
        {{ return(reasons + [publication_settings().guard_hint]) }}
    {%- endfor -%}
    {{ return([]) }}
{%- endmacro %}
