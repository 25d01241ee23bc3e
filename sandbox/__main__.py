"""`python -m sandbox`: start the local 42 API."""

from __future__ import annotations

import errno
import sys
from enum import StrEnum
from typing import Annotated

import typer

from sandbox.app import Options, Sandbox
from sandbox.server import application, listen, serve


class Scale(StrEnum):
    """How big the invented network is."""

    small = "small"
    network = "network"


class LimitMode(StrEnum):
    """Whether the rate limits bite."""

    real = "real"
    fast = "fast"


_EPILOG = (
    "Try it: curl -X POST -d grant_type=client_credentials -d client_id=sandbox "
    "-d client_secret=sandbox http://127.0.0.1:4242/oauth/token, then "
    "curl -H 'Authorization: Bearer TOKEN' 'http://127.0.0.1:4242/v2/cursus/21/users?per_page=2'."
    " Control endpoints (this machine only): GET /_sandbox/health, GET /_sandbox/calls, "
    "POST /_sandbox/advance, GET|POST|DELETE /_sandbox/faults, POST /_sandbox/clock, "
    "POST /_sandbox/settings, GET /_sandbox/rows/users, POST /_sandbox/reset."
)


def main(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 4242,
    scale: Annotated[
        Scale,
        typer.Option(help="small: 300 students, starts at once; network: 40,335 students."),
    ] = Scale.small,
    limits: Annotated[
        LimitMode,
        typer.Option(help="real: 2 requests a second and 1,200 an hour; fast: no limit."),
    ] = LimitMode.fast,
    latency: Annotated[
        float, typer.Option(min=0, help="Seconds every answer takes (a heavy real page: 3.5).")
    ] = 0.0,
    jitter: Annotated[
        float,
        typer.Option(
            min=0,
            help="Seconds by which arrivals may be earlier or later than the average one: calls "
            "sent 0.55 s apart may arrive too close for the limits.",
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Another seed, another network.")] = 42,
    host: Annotated[
        str, typer.Option(help="Address to listen on; anything but loopback opens it to others.")
    ] = "127.0.0.1",
    client_id: Annotated[str, typer.Option(help="The application's UID.")] = "sandbox",
    client_secret: Annotated[str, typer.Option(help="The application's secret.")] = "sandbox",
    next_secret: Annotated[
        str | None, typer.Option(help="A second secret that is accepted too.")
    ] = None,
    token_life: Annotated[int, typer.Option(min=1, help="Seconds a token lives.")] = 7200,
    secret_days: Annotated[
        float, typer.Option(help="Days until the secret expires (secret_valid_until).")
    ] = 28.0,
    retry_after: Annotated[
        bool, typer.Option(help="Whether a 429 carries Retry-After; the real one varies.")
    ] = True,
) -> None:
    """Serve an invented 42 network that answers like api.intra.42.fr.

    Every person in it is made up; the same scale and seed always give the same network. It
    prints one line when it accepts connections and stops on Ctrl-C.
    """
    try:
        sock = listen(host, port)
    except OSError as error:
        print(_explain(error, host, port), file=sys.stderr)
        raise typer.Exit(2) from None
    options = Options(
        scale=scale.value,
        limits=limits.value,
        latency=latency,
        jitter=jitter,
        seed=seed,
        client_id=client_id,
        client_secret=client_secret,
        next_secret=next_secret,
        token_life=token_life,
        secret_days=secret_days,
        retry_after=retry_after,
    )
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{sock.getsockname()[1]}"
    message = f"sandbox ready on {address} (scale {scale.value}, limits {limits.value})"
    serve(application(Sandbox(options)), sock, message)


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken by another program, perhaps a sandbox that is still "
            f"running. Stop that one, or choose another port: python -m sandbox --port {port + 1} "
            "(--port 0 takes any free one)."
        )
    return (
        f"Cannot listen on {host} port {port}: {error.strerror}. Use an address of this machine "
        "(--host 127.0.0.1) and a port above 1023 (--port 4242)."
    )


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(epilog=_EPILOG)(main)
    app(prog_name="python -m sandbox")
