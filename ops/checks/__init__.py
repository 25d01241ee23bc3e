"""The single checks behind `make check`; ops/check.py runs them all."""
