"""`python -m ops`."""

import gc

from ops.cli import main

if __name__ == "__main__":
    gc.freeze()  # what is imported stays: the collector need not look at it again
    main()
