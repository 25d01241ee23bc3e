"""What is read of the 42 API: one declaration a table (`declarations.py`)."""

from extract.tables.declarations import (
    INDEXES,
    READS,
    STUDENT_KIND,
    TABLES,
    backfilled,
    coming_with,
)
from extract.tables.streams import streams_on
from extract.tables.table import UNKNOWN_FIELDS, Column, Row, Table

__all__ = [
    "INDEXES",
    "READS",
    "STUDENT_KIND",
    "TABLES",
    "UNKNOWN_FIELDS",
    "Column",
    "Row",
    "Table",
    "backfilled",
    "coming_with",
    "streams_on",
]
