"""The running server: finding it, starting it, ending it."""

import fcntl
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

from extract.embedded.place import Place, binary, environment, failure
from extract.embedded.user import as_user, give, give_all

START_SECONDS = 300  # recovery after a power cut may have gigabytes of log to read
STOP_SECONDS = 60
NO_PROCESS = 4194305  # above the highest process id of any kernel


def answers(place: Place) -> bool:
    """Whether a server that has finished starting accepts connections. Takes under 1 ms."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.connect(os.fspath(place.socket))
        return _ready(place)
    return False


def postmaster(place: Place) -> int | None:
    """The process id of the living server of this directory.

    postmaster.pid alone proves nothing: after a power cut its number may be another program's.
    """
    with suppress(OSError, ValueError, IndexError):
        process_id = int((place.data / "postmaster.pid").read_text().splitlines()[0])
        return process_id if _works_in(process_id, place.data.resolve()) else None
    return None


def ensure_running(place: Place) -> None:
    """Go on until the server answers: started here or elsewhere, crashed, recovering or leaving."""
    begin = time.monotonic()
    launched: int | None = None
    offset = place.log.stat().st_size
    while not answers(place):
        running = postmaster(place)
        if running is not None and _ready(place) and not place.socket.exists():
            end(running, signal.SIGINT)  # somebody removed the socket of a living server
        elif running is None and launched is None:
            launched = _launch(place)
        elif running is None and launched is not None and not _lives(launched):
            said = place.log.read_bytes()[offset:].decode(errors="replace")
            raise failure("started", place, said)
        if running is None and launched is None and time.monotonic() - begin > STOP_SECONDS:
            raise failure("started", place, "processes in another container still use its data")
        if time.monotonic() - begin > START_SECONDS:
            raise failure("started", place, f"not ready after {START_SECONDS} seconds")
        time.sleep(0.02)


def end(process_id: int, how: signal.Signals) -> bool:
    """Send the signal and wait; False if the process still lives after STOP_SECONDS."""
    with suppress(ProcessLookupError):
        os.kill(process_id, how)
    deadline = time.monotonic() + STOP_SECONDS
    while _lives(process_id):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def end_abandoned(place: Place) -> None:
    """End a server whose data directory was removed under it.

    It notices by itself, up to a minute later, and would take the new server's socket along.
    """
    for process in psutil.process_iter():
        if _works_in(process.pid, place.data.resolve()):
            end(process.pid, signal.SIGQUIT)


def _launch(place: Place) -> int | None:
    """Start the server process, detached from us, and return its process id.

    Every process of a server holds the lock it was born with: None while one of them lives, such
    as a worker that has not noticed yet that its server was killed, or a server in a container
    that shares this directory, whose process id says nothing here.
    """
    with place.held.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return _launch_holding(place, held.fileno())


def _launch_holding(place: Place, lock: int) -> int:
    user = place.user
    if place.data.stat().st_uid != user:  # a copy that root made
        give_all(place.data, user)
    _forget_the_dead(place)
    configuration = place.data / "fortytwo.conf"
    directory = str(place.socket.parent).replace("\\", r"\\").replace("'", "''").replace('"', '""')
    configuration.write_text(
        Path(__file__).with_name("server.conf").read_text(encoding="utf-8")
        + f"\nunix_socket_directories = '\"{directory}\"'\n",
        encoding="utf-8",
    )
    give(configuration, user)
    # The shell leaves at once: the server becomes the init process's child, in its own session.
    detach = '"$@" </dev/null >>"$0" 2>&1 & echo $!'
    server = as_user(user, binary("postgres"), "-D", str(place.data))
    shell = subprocess.run(
        ["/bin/sh", "-c", detach, str(place.log), *server],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd="/",
        env=environment(),
        start_new_session=True,
        pass_fds=[lock],
    )
    return int(shell.stdout)


def _forget_the_dead(place: Place) -> None:
    """Clear what a killed server left and PostgreSQL would take for a living one's.

    Its own check believes any living process with the number in postmaster.pid. The number is
    replaced and the file kept, because PostgreSQL also looks there for shared memory still in use.
    """
    for path in (place.socket, Path(f"{place.socket}.lock")):
        path.unlink(missing_ok=True)
    process_file = place.data / "postmaster.pid"
    if process_file.exists():
        rest = process_file.read_text().splitlines(keepends=True)[1:]
        process_file.write_text(f"{NO_PROCESS}\n{''.join(rest)}")


def _ready(place: Place) -> bool:
    with suppress(OSError):
        return (place.data / "postmaster.pid").read_text().rstrip().endswith("ready")
    return False


def _works_in(process_id: int, directory: Path) -> bool:
    """Whether this is a living PostgreSQL process in that directory; a zombie is in none."""
    with suppress(psutil.Error):
        process = psutil.Process(process_id)
        if process.name() != "postgres":
            return False
        try:
            return process.cwd() == os.fspath(directory)
        except psutil.AccessDenied:  # root in a container; the name it was started with is public
            return process.cmdline()[1:] == ["-D", os.fspath(directory)]
    return False


def _lives(process_id: int) -> bool:
    with suppress(psutil.Error):
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    return False
