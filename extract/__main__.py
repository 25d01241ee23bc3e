"""`python -m extract`."""

import signal

if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    # while it is being imported nothing is to be said of where it was
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from extract.cli import app

if __name__ == "__main__":
    app(prog_name="python -m extract")
