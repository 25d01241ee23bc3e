"""`python -m ops`."""

from extract.base.imports import without_collector

with without_collector():
    from ops.cli import main

if __name__ == "__main__":
    main()
