"""`python -m extract`."""

import gc

# imports make a hundred thousand objects and little garbage: looking for it took 0.3 s a command
gc.disable()

from extract.cli import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
