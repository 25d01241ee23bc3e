"""Settings, errors, logs, the database connection: what everything else stands on."""
