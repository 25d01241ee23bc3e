"""Into the schema `raw`, and the record of it in `ops`."""
