"""Running the mirror: sync, check, status, backup and the schema `ops` they record in."""
