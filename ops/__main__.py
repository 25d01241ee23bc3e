"""`python -m ops`."""

import gc

gc.disable()  # as in extract/__main__.py

from ops.cli import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
