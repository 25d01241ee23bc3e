{#-
    What mirror promises beyond the catalog of marts, a table each, parents first: its foreign keys are
    its `relationships` tests, its unique constraints its `unique` tests, its indexes those of its foreign
    keys and of `meta: mirror_indexes`.
-#}
{% macro publication_specs() %}
    {%- set listed = var('published_tables') -%}
    {%- set names = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('fqn.1', 'equalto', 'marts') | map(attribute='name') | list -%}
    {%- if names | sort != listed | sort -%}
        {{ exceptions.raise_compiler_error(
            'The models in marts and var published_tables of dbt_project.yml differ: '
            ~ (names | reject('in', listed) | list + listed | reject('in', names) | list) | join(', ')
            ~ '. Name each table of mirror there once.'
        ) }}
    {%- endif -%}
    {%- set specs = {} -%}
    {%- for name in listed -%}
        {%- set mart = graph.nodes['model.' ~ project_name ~ '.' ~ name] -%}
        {%- do specs.update({mart.unique_id: {
            'name': name, 'foreign_keys': [], 'unique_columns': [],
            'indexes': mart.config.meta.get('mirror_indexes', []) | select('in', mart.columns) | list,
        }}) -%}
    {%- endfor -%}
    {%- for test in graph.nodes.values()
        if test.resource_type == 'test' and test.attached_node in specs and test.test_metadata -%}
        {%- set spec = specs[test.attached_node] -%}
        {%- set passes_only_without_exception = not test.config.where
            and test.config.severity | lower == 'error' and test.config.error_if == '!= 0' -%}
        {%- set parents = test.depends_on.nodes | reject('equalto', test.attached_node) | list -%}
        {%- set parent = specs.get((parents + [test.attached_node])[0]) -%}
        {%- if test.test_metadata.name == 'relationships' and parent -%}
            {%- if not passes_only_without_exception -%}
                {{ exceptions.raise_compiler_error(
                    'The test ' ~ test.name ~ ' makes a foreign key of mirror, so it may neither warn '
                    ~ 'nor leave rows out. For a column without one, write the test as SQL.'
                ) }}
            {%- endif -%}
            {%- if listed.index(parent.name) > listed.index(spec.name) -%}
                {{ exceptions.raise_compiler_error(
                    'var published_tables of dbt_project.yml names ' ~ spec.name ~ ' before ' ~ parent.name
                    ~ ', which it refers to. Name each table after those that it refers to.'
                ) }}
            {%- endif -%}
            {%- do spec.foreign_keys.append({
                'name': test.column_name, 'parent': parent.name,
                'parent_column': test.test_metadata.kwargs.field,
            }) -%}
            {%- do spec.indexes.append(test.column_name) -%}
        {%- elif test.test_metadata.name == 'unique' and passes_only_without_exception -%}
            {%- do spec.unique_columns.append(test.column_name) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(specs.values() | list) }}
{% endmacro %}
