{#-
    What every table of mirror has to look like, parents first. Read from where each fact is declared,
    and only there:

    columns, types, not null, primary key   the mart's contract
    foreign keys                            its `relationships` tests (without a `where`)
    unique constraints                      its `unique` tests (without a `where`)
    comments                                its descriptions
    indexes                                 every foreign key, and `meta: mirror_indexes` of the mart
-#}
{% macro mirror_specs() %}
    {%- set specs = {} -%}
    {%- for node in graph.nodes.values() if is_mart(node) -%}
        {%- do specs.update({node.unique_id: mirror_spec(node)}) -%}
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
        if test.resource_type == 'test' and test.attached_node in specs
        and test.test_metadata and not test.test_metadata.namespace
        and not test.config.where and test.config.severity | lower == 'error' -%}
        {%- set spec = specs[test.attached_node] -%}
        {%- set arguments = test.test_metadata.kwargs -%}
        {%- if test.test_metadata.name == 'relationships' -%}
            {%- set parent = modules.re.search("ref\\(\\s*['\"](\\w+)['\"]\\s*\\)", arguments.to) -%}
            {%- set parent = parent.group(1) if parent else none -%}
            {%- if parent in specs.values() | map(attribute='name') -%}
                {%- do spec.foreign_keys.append({
                    'column': test.column_name, 'parent': parent, 'parent_column': arguments.field,
                }) -%}
            {%- endif -%}
        {%- elif test.test_metadata.name == 'unique' and [test.column_name] != spec.primary_key
            and test.column_name in spec.columns -%}
            {%- do spec.unique_columns.append(test.column_name) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(parents_first(specs.values() | list)) }}
{% endmacro %}

{% macro is_mart(node) %}
    {{ return(
        node.resource_type == 'model' and node.fqn | length > 2 and node.fqn[1] == 'marts'
        and node.config.materialized != 'ephemeral'
    ) }}
{% endmacro %}

{% macro mirror_spec(node) %}
    {%- set primary_key = [] -%}
    {%- set columns = {} -%}
    {%- for column in node.columns.values() -%}
        {%- set kinds = column.constraints | map(attribute='type') | map('string') | list -%}
        {%- if 'primary_key' in kinds -%}
            {%- do primary_key.append(column.name) -%}
        {%- endif -%}
        {%- do columns.update({column.name: {
            'name': column.name, 'type': column.data_type, 'description': column.description,
            'not_null': 'not_null' in kinds or 'primary_key' in kinds,
        }}) -%}
    {%- endfor -%}
    {%- for constraint in node.constraints if constraint.type | string == 'primary_key' -%}
        {%- do primary_key.extend(constraint.columns) -%}
    {%- endfor -%}
    {%- for name in primary_key -%}
        {%- do columns[name].update({'not_null': true}) -%}
    {%- endfor -%}
    {%- set indexes = [] -%}
    {%- for index in node.config.meta.get('mirror_indexes', []) -%}
        {%- set names = [index] if index is string else index -%}
        {%- if not names | reject('in', columns) | list -%}
            {%- do indexes.append(names) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return({
        'name': node.alias, 'candidate': node.relation_name, 'candidate_schema': node.schema,
        'live': adapter.quote(mirror_schema()) ~ '.' ~ adapter.quote(node.alias),
        'description': marked(node.description), 'columns': columns, 'primary_key': primary_key,
        'foreign_keys': [], 'unique_columns': [], 'indexes': indexes,
    }) }}
{% endmacro %}

{#- Tables in an order in which every table comes after the tables it refers to. -#}
{% macro parents_first(specs) %}
    {%- set ordered = [] -%}
    {%- set names = [] -%}
    {%- for round in specs -%}
        {%- for spec in specs | sort(attribute='name') if spec.name not in names -%}
            {%- set missing = spec.foreign_keys | map(attribute='parent')
                | reject('in', names) | reject('equalto', spec.name) | list -%}
            {%- if not missing -%}
                {%- do ordered.append(spec) -%}
                {%- do names.append(spec.name) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if ordered | length < specs | length -%}
        {{ exceptions.raise_compiler_error(
            'The foreign keys of these marts go round in a circle: '
            ~ specs | map(attribute='name') | reject('in', names) | join(', ')
        ) }}
    {%- endif -%}
    {{ return(ordered) }}
{% endmacro %}
