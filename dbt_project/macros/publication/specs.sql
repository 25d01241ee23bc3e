{#-
    What mirror promises beyond the catalog of marts, a table each, parents first: its foreign keys are
    its `relationships` tests, its unique constraints its `unique` tests, its indexes those of its foreign
    keys and of `meta: mirror_indexes`.
-#}
{% macro publication_specs() %}
    {%- set specs = {} -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.fqn[1] == 'marts' -%}
        {%- set indexes = [] -%}
        {%- for index in node.config.meta.get('mirror_indexes', []) -%}
            {%- set names = [index] if index is string else index -%}
            {%- if not names | reject('in', node.columns) | list -%}
                {%- do indexes.append(names) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do specs.update({node.unique_id: {
            'name': node.alias, 'foreign_keys': [], 'unique_columns': [], 'indexes': indexes,
        }}) -%}
    {%- endfor -%}
    {%- set names = specs.values() | map(attribute='name') | list -%}
    {%- set listed = var('published_tables') -%}
    {%- if names | sort != listed | sort -%}
        {{ exceptions.raise_compiler_error(
            'The models in marts and var published_tables of dbt_project.yml differ: '
            ~ (names | reject('in', listed) | list + listed | reject('in', names) | list) | join(', ')
            ~ '. Name each table of mirror there once.'
        ) }}
    {%- endif -%}
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
            {%- do spec.foreign_keys.append({
                'name': test.column_name, 'parent': parent.name,
                'parent_column': test.test_metadata.kwargs.field,
            }) -%}
            {%- do spec.indexes.append([test.column_name]) -%}
        {%- elif test.test_metadata.name == 'unique' and passes_only_without_exception -%}
            {%- do spec.unique_columns.append(test.column_name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set ordered = [] -%}
    {%- for name in listed -%}
        {%- set spec = specs.values() | selectattr('name', 'equalto', name) | first -%}
        {%- for key in spec.foreign_keys if key.parent not in listed[:ordered | length + 1] -%}
            {{ exceptions.raise_compiler_error(
                'var published_tables of dbt_project.yml names ' ~ name ~ ' before ' ~ key.parent
                ~ ', which it refers to. Name each table after those that it refers to.'
            ) }}
        {%- endfor -%}
        {%- do ordered.append(spec) -%}
    {%- endfor -%}
    {{ return(ordered) }}
{% endmacro %}
