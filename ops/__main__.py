"""`python -m ops`."""

import signal

if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    # while it is being imported nothing is to be said of where it was
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from ops.cli import main

if __name__ == "__main__":
    main()
