"""`python -m extract`."""

import gc

# imports make a hundred thousand objects and no garbage: looking for some takes a tenth of a second
gc.disable()

from extract.cli import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
