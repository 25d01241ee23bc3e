"""Housekeeping after runs: hygiene, what is forgotten, logs."""
