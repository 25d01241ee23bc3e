"""What the dbt project says of its tables: contracts, diagram, dictionary, lineage."""
