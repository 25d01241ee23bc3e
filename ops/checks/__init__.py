"""The single checks behind `make check`; ops/checks/check.py runs them all."""
