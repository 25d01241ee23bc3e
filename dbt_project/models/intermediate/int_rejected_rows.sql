with rejected_rows as (
    {%- for table in var('published_tables') %}
        select
            '{{ table }}' as table_name,
            key,
            rule
        from {{ ref('int_' ~ table ~ '__classified') }}
        where rule is not null
        {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select * from rejected_rows
