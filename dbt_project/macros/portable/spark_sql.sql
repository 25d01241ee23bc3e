{#-
    The SQL of a model or a test as Spark says it. The models are written in PostgreSQL's words; most of
    them Spark knows too, and these few differ in spelling only. What is missing here Spark's parser refuses.
-#}
{% macro spark_sql(sql) -%}
    {%- set spellings = [
        ("([\\w.]+) ->>? '([^']+)'", "get_json_object(\\1, '$.\\2')"),
        ("([\\w.]+) ~ '", "\\1 rlike '"),
        ("'\\\\1'", "'$1'"),
        ("::text\\b", "::string"),
        ("\\btimestamptz\\b", "timestamp"),
        ("::numeric\\b(?!\\()", "::double"),
        ("extract\\(isodow from", "extract(dayofweek_iso from"),
        (" at time zone 'UTC'", ""),
        ("([\\w.]+) at time zone ([\\w.]+)", "from_utc_timestamp(\\1, \\2)"),
        (
            "(?s)select distinct on \\(([^)]+)\\)(.+?)\\border by\\s+(.+?)\\n\\s*\\)",
            "select\\2qualify row_number() over (partition by \\1 order by \\3) = 1\\n)",
        ),
        ("over \\((partition by (?:(?!order by)[^)])+)\\)(?= as number_alike)", "over (\\1 order by 'any')"),
        ("\\bas (text|jsonb)\\)", "as string)"),
        ("\\bas timestamp with time zone\\)", "as timestamp)"),
        ("\\bas double precision\\)", "as double)"),
    ] -%}
    {%- set translated = namespace(sql=sql) -%}
    {%- for theirs, of_spark in spellings -%}
        {%- set translated.sql = modules.re.sub(theirs, of_spark, translated.sql) -%}
    {%- endfor -%}
    {{ return(translated.sql) }}
{%- endmacro %}

{#- Wherever dbt wraps the SQL of a model or a test. -#}
{% macro spark__create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {{ dbt.spark__create_table_as(temporary, relation, spark_sql(compiled_code), language) }}
{%- endmacro %}

{% macro spark__create_view_as(relation, sql) -%}
    {{ dbt.spark__create_view_as(relation, spark_sql(sql)) }}
{%- endmacro %}

{% macro spark__get_empty_subquery_sql(select_sql, select_sql_header=none) -%}
    {{ dbt.default__get_empty_subquery_sql(spark_sql(select_sql), select_sql_header) }}
{%- endmacro %}

{% macro spark__get_empty_schema_sql(columns) -%}
    {{ spark_sql(dbt.default__get_empty_schema_sql(columns)) }}
{%- endmacro %}

{% macro spark__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
    {{ dbt.default__get_test_sql(spark_sql(main_sql), fail_calc, warn_if, error_if, limit) }}
{%- endmacro %}

{% macro spark__get_unit_test_sql(main_sql, expected_fixture_sql, expected_column_names) -%}
    {{ spark_sql(dbt.default__get_unit_test_sql(main_sql, expected_fixture_sql, expected_column_names)) }}
{%- endmacro %}

{#- Its tables are files, which know no constraints: what they must hold the tests hold. -#}
{% macro spark__persist_constraints(relation, model) -%}
{%- endmacro %}
