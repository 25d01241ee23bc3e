"""Tests of the running of the mirror: schedule, logs, status, backup, hygiene."""
