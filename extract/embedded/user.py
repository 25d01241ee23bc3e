"""The operating-system user that the embedded PostgreSQL runs as.

PostgreSQL refuses to run as root. For root it runs as the owner of the data, or else as a user id
that nobody else has, with the one capability that lets it reach its files below directories such
as /root, so that no directory has to be opened to other users.
"""

import os
import pwd
import shutil
from functools import cache
from pathlib import Path

from extract.base.errors import MirrorError

# Above adduser's numbers, below those of systemd's services and of most containers' last id.
UNUSED_USER_ID = 61042
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAP_SETPCAP = 8


def server_user(*owned: Path) -> int:
    """Ours; for root the owner of the first of these paths that is not root's, else our own id."""
    if os.geteuid() != 0:
        return os.geteuid()
    for path in owned:
        if path.exists() and path.stat().st_uid != 0:
            return path.stat().st_uid
    return UNUSED_USER_ID


def named_user(user: int) -> int:
    """The same user; when it has no name and we are root, one that has: initdb wants a name."""
    try:
        return pwd.getpwuid(user).pw_uid
    except KeyError:
        return user if os.geteuid() != 0 else pwd.getpwnam("nobody").pw_uid


def give(path: Path, user: int) -> None:
    """Make `user` the owner of a file or directory, as root."""
    if os.geteuid() == 0:
        os.chown(path, user, _group(user), follow_symlinks=False)


def give_all(directory: Path, user: int) -> None:
    """Make `user` the owner of a directory and everything in it, as root."""
    for parent, _, files in os.walk(directory):
        for path in (Path(parent), *(Path(parent, name) for name in files)):
            give(path, user)


def as_user(user: int, program: Path, *arguments: str) -> list[str]:
    """The command that runs a program as `user`; without root, as ourselves.

    Raises:
        MirrorError: We are root and have no means to become somebody else.
    """
    command = [os.fspath(program), *arguments]
    if os.geteuid() != 0:
        return command
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise MirrorError(
            "PostgreSQL refuses to run as root, and the program setpriv, with which the embedded "
            "one is started as another user, is not installed. Install the package util-linux, "
            "run the mirror as a normal user, or set PGHOST, PGUSER, PGPASSWORD and PGDATABASE to "
            "use a server of your own."
        )
    if not program.stat().st_mode & 0o001:  # installed with umask 077
        program.chmod(program.stat().st_mode | 0o111)
    identity = [f"--reuid={user}", f"--regid={_group(user)}", "--clear-groups", "--no-new-privs"]
    return [setpriv, *identity, *_reach(), *command]


def _reach() -> list[str]:
    """Let the server read and search past permissions, and believe it when it asks if it may.

    The access system call leaves capabilities out unless a securebit says otherwise; PostgreSQL's
    programs look for each other with it. A container that withholds the reading capability
    usually has the stronger one. The server can read root's files then; its socket lets nobody
    but root ask it to.
    """
    ours = int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16)
    for bit, name in ((CAP_DAC_READ_SEARCH, "dac_read_search"), (CAP_DAC_OVERRIDE, "dac_override")):
        if ours >> bit & 1 and ours >> CAP_SETPCAP & 1:
            grant = [f"--inh-caps=+{name}", f"--ambient-caps=+{name}"]
            return [*grant, "--securebits=+no_setuid_fixup"]
    return []


@cache  # asked for each of a thousand files; a machine with systemd takes its time to answer
def _group(user: int) -> int:
    try:
        return pwd.getpwuid(user).pw_gid
    except KeyError:
        return user
