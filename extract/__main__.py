"""`python -m extract`."""

from extract.base.imports import without_collector

with without_collector():
    from extract.cli import main

if __name__ == "__main__":
    main()
