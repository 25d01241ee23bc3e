"""Housekeeping after runs: hygiene, retention, logs."""
