"""The full, live and backfill passes, and the plan of one."""
