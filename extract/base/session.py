"""What every session of the mirror has set, whatever its role, database or server prefers.

One list, handed over as libpq's PGOPTIONS, which dlt, dbt, pg_dump, pg_restore and our own
connections all obey. A user's own PGOPTIONS stand before it. Not in it, because the operator
decides these: where tables lie (default_tablespace), how queries are planned, how safely commits
are written, and default_transaction_read_only, by which a server protects itself.
"""

SETTINGS = {
    # a long build is no fault
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    # what a name, a literal, a comparison or a table means
    "search_path": "public",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "row_security": "on",
    "default_transaction_isolation": r"read\ committed",
    "default_transaction_deferrable": "off",
    "default_table_access_method": "heap",
    # how values are written and read
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "timezone_abbreviations": "Default",
    "DateStyle": "ISO,MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
}
SINCE_17 = {"transaction_timeout": "0"}


def with_settings(options: str, server_version: int = 0) -> str:
    """PGOPTIONS that end with the mirror's own settings.

    Args:
        options: What is there already; settings that it ends with are not repeated.
        server_version: As libpq has it, e.g. 170002; 0 where it is not known yet.
    """
    for settings in (SETTINGS, SINCE_17 if server_version >= 170000 else {}):
        own = " ".join(f"-c {name}={value}" for name, value in settings.items())
        if own not in options:
            options = f"{options} {own}".strip()
    return options
