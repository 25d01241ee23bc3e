"""What is read of the 42 API: one declaration a table (`declarations.py`)."""

from extract.tables.declarations import TABLES
from extract.tables.table import UNKNOWN_FIELDS, Column, Row, Table

__all__ = ["TABLES", "UNKNOWN_FIELDS", "Column", "Row", "Table"]
