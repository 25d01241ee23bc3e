"""`python -m extract`."""

import gc

from extract.cli import main

if __name__ == "__main__":
    gc.freeze()  # what is imported stays: the collector need not look at it again
    main()
