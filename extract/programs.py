"""PostgreSQL's own programs and dbt, at the mirror's database.

`psql` and `dbt` of the folder's bin/, typed bare with no variable set, reach the embedded server,
started if it is not running; with PG variables in the environment or in `.env` they reach that one.
"""

import fcntl
import gc
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NoReturn

from psycopg2.extensions import connection as Connection

from extract import embedded
from extract.base import database
from extract.base.errors import MirrorError, UsageError
from extract.base.lock import new_run_id, run_lock
from extract.base.settings import ROOT, duckdb_file, environment, lake_url, path_of
from extract.base.usable import require_usable

DEBIAN = Path("/usr/lib/postgresql")
DBT = (sys.executable, "-m", "extract.programs", "dbt")  # as a child process, in ROOT
DBT_WITHOUT_DATABASE = {
    *("clean", "deps", "init", "list", "ls", "parse"),
    *("--help", "-h", "--version", "-v", "-V"),
}
# where dbt writes is a matter of the machine; any other DBT_ variable is somebody's other project's
DBT_OF_OURS = ("DBT_TARGET_PATH", "DBT_LOG_PATH")
WRITES = (
    "dbt must be able to write there: become the owner of the folder, or name others with "
    "DBT_TARGET_PATH and DBT_LOG_PATH."
)
SIGNATURE = "FORTYTWO_SIGNATURE"  # what a build depends on, for the publication to record
# with these a build is not that of all the models as they stand here
PARTLY = (
    "-s",
    "--select",
    "-m",
    "--model",
    "--exclude",
    "--resource-type",
    "--project-dir",
    "--vars",
)


def program(name: str, server_version: int = 0) -> str:
    """The path of psql, pg_dump or pg_restore, at least as new as the server.

    The wheel's are built without TLS: over a network the machine's own come first.

    Args:
        server_version: As libpq has it, e.g. 180001; 0 for any.

    Raises:
        MirrorError: None that is installed is new enough, or can encrypt where it must.
    """
    values = database.parameters()
    own = embedded.binary(name)
    on_network = database.on_network()
    must_encrypt = on_network and values["sslmode"].startswith(("require", "verify"))
    # an older pg_restore cannot read what a newer pg_dump wrote
    own_last = must_encrypt or (on_network and name != "pg_restore")
    paths = [*_installed(name), own] if own_last else [own, *_installed(name)]
    wanted = server_version // 10000
    if name == "pg_dump" and major_version(own) != wanted:
        # the server's own leaves out what only this server knows (15.20: pg_attver)
        paths.sort(key=lambda path: path == own or major_version(path) != wanted)
    found = next((path for path in paths if major_version(path) >= wanted), None)
    if found is None:
        raise MirrorError(
            f"The server is PostgreSQL {wanted}, and no {name} of that version or a newer one is "
            f"installed here. Install the package postgresql-client-{wanted}, then run the command "
            "again."
        )
    if must_encrypt and found == own:
        raise UsageError(
            f"PGSSLMODE is {values['sslmode']}, and the {name} that comes with the mirror cannot "
            "encrypt. Install PostgreSQL's own (the package postgresql-client), then run the "
            "command again."
        )
    return os.fspath(found)


def newest(name: str) -> Path:
    """The newest that is here, the wheel's where others are not newer."""
    return max((embedded.binary(name), *_installed(name)), key=major_version)


def _installed(name: str) -> Iterable[Path]:
    installed = DEBIAN.glob(f"*/bin/{name}") if DEBIAN.is_dir() else ()
    yield from sorted(installed, key=major_version, reverse=True)
    # bin/psql is not the program, and is a link to bin/dbt in every checkout
    elsewhere = (p for p in os.get_exec_path() if Path(p, name).resolve().name != "dbt")
    found = shutil.which(name, path=os.pathsep.join(elsewhere))
    if found:
        yield Path(found)


def major_version(path: Path) -> int:
    """The major version of one of PostgreSQL's programs; 0 when it does not say."""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(match[1]) if match else 0


HELD = ExitStack()
DBT_WRITES = {"build", "clone", "retry", "run", "run-operation", "seed", "snapshot", "test"}


def psql() -> NoReturn:
    """Become psql; its own arguments may name another server."""
    arguments = sys.argv[1:]
    variables = dict(os.environ)
    try:
        if any(_names_a_server(argument) for argument in arguments):
            path = os.fspath(embedded.binary("psql"))
        else:
            database.ensure_server()
            path = program("psql")
            # a person's session is as the person likes it
            of_mirror = {"PGOPTIONS", "PGCLIENTENCODING"}
            variables |= {k: v for k, v in environment().items() if k.startswith("PG")}
            variables |= {
                name: value
                for name, value in database.program_environment().items()
                if name not in of_mirror
            }
    except MirrorError as error:
        _leave("psql", error)
    os.execve(path, [path, *arguments], variables)


def dbt() -> None:
    """Run dbt, which knows neither `.env` nor how to start the server."""
    try:
        os.environ.update(environment())
        # for profiles.yml, which knows neither ~ nor this folder
        os.environ["FORTYTWO_LOCAL"] = str(path_of("FORTYTWO_LOCAL", ROOT / ".local"))
        os.environ["FORTYTWO_DUCKDB"] = duckdb_file()
        os.environ["DESTINATION__FILESYSTEM__BUCKET_URL"] = lake_url()
        for name in [name for name in os.environ if name.startswith("DBT_")]:
            if name not in DBT_OF_OURS:
                del os.environ[name]
        # dbt colours what goes into a file or a mail as well
        os.environ["DBT_USE_COLORS_FILE"] = "false"
        if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
            os.environ["DBT_USE_COLORS"] = "false"
        os.umask(0o077)  # its files and its log repeat rows
        elsewhere = on_another_engine(sys.argv[1:])
        if elsewhere:
            remove_unfinished_tables(path_of("FORTYTWO_LOCAL", ROOT / ".local") / "spark")
        if not elsewhere and not DBT_WITHOUT_DATABASE.intersection(sys.argv[1:]):
            _prepare_database()
        os.environ.update(database.libpq_environment())
    except MirrorError as error:
        _leave("dbt", error)
    from click import Abort, ClickException
    from dbt.cli.main import cli  # takes a second, which no error need wait for

    gc.freeze()  # what is imported stays: the collector need not look at it again
    try:
        done = cli.main(prog_name="dbt", standalone_mode=False)
    except Abort:
        raise KeyboardInterrupt from None
    except ClickException as error:
        cause = getattr(error, "exception", None)
        if isinstance(cause, OSError):  # without its log dbt says nothing of it
            _leave("dbt", UsageError(f"{cause}. {WRITES}"))
        error.show()
        raise SystemExit(error.exit_code) from None
    raise SystemExit(done if isinstance(done, int) else 0)


def run_dbt(*arguments: str, **variables: str) -> int:
    """Run dbt as a child process that is quiet until something fails; returns its exit status."""
    env = {**os.environ, **database.libpq_environment(), "PWD": str(ROOT), **variables}
    command = [*DBT, "--quiet", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def remove_unfinished_tables(spark: Path) -> None:
    """Remove what a build that was killed left of a table: Spark makes none where files are.

    Args:
        spark: Where Spark builds. Of two builds there only the first one removes anything.
    """
    if not spark.is_dir():
        return
    lock = HELD.enter_context((spark / "build.lock").open("w"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    for unfinished in spark.glob("warehouse/*.db/*/_temporary"):
        shutil.rmtree(unfinished.parent)


def on_another_engine(arguments: Sequence[str]) -> bool:
    """Whether dbt is told to build on an engine beside the mirror's database (docs/scale.md)."""
    lines = "\n".join(arguments)
    return bool(re.search(r"^(--target[=\n]|-t\n?)(duckdb|spark)$", lines, re.MULTILINE))


def _prepare_database() -> None:
    """See that dbt may write, and keep the run lock as long as this process lives.

    A sync holds the lock for the dbt that it starts. dbt itself makes its schemas before it asks
    any macro of ours, and keeps no connection from one model to the next.
    """
    if not DBT_WRITES.intersection(sys.argv[1:]):
        with closing(database.connect("dbt", autocommit=True)) as connection:
            require_usable(connection)
        return
    from extract.tables.ownership import refuse_foreign_objects

    with ExitStack() as held:
        if os.environ.get("FORTYTWO_RUN_ID"):
            connection = held.enter_context(closing(database.connect("dbt", autocommit=True)))
        else:
            run_id = new_run_id()
            connection = HELD.enter_context(run_lock("build", run_id))
            os.environ["FORTYTWO_LOCK_ID"], os.environ[SIGNATURE] = run_id, ""
        refuse_foreign_objects(connection)
        leave_out_proven_unit_tests(connection)


def leave_out_proven_unit_tests(connection: Connection) -> None:
    """Leave the unit tests out of a whole build while the models are those last published.

    They prove the models, not the data, and take a third of a build's time. A build of which
    somebody left out a part is no proof: its publication records no signature.
    """
    from extract.load.signature import models_digest, published_signature

    is_part = any(argument.startswith(PARTLY) for argument in sys.argv[1:])
    if is_part or "build" not in sys.argv[1:] or not Path.cwd().samefile(ROOT):
        os.environ[SIGNATURE] = ""
        return
    given = os.environ.get(SIGNATURE)
    signature = json.loads(given) if given else {"models": models_digest()}
    os.environ[SIGNATURE] = json.dumps(signature)
    published = published_signature(connection)
    if not published or published.get("models") != signature["models"]:
        return
    os.environ["DBT_EXCLUDE_RESOURCE_TYPES"] = "unit_test"
    if not {"-q", "--quiet"}.intersection(sys.argv[1:]):
        print(
            "The models are those last published: their unit tests, which prove models and not "
            "data, are left out. `dbt test --select test_type:unit` runs them.",
            flush=True,
        )


def run() -> None:
    """Run the program that the first argument names."""
    name = sys.argv.pop(1)
    try:
        {"dbt": dbt, "psql": psql}[name]()
    except KeyboardInterrupt:  # while it starts: dbt itself says what became of its models
        print(f"{name}: Stopped by Ctrl-C.", file=sys.stderr)
        HELD.close()
        raise SystemExit(130) from None


def _names_a_server(argument: str) -> bool:
    addresses = ("postgres://", "postgresql://", "host=", "service=")
    return argument.startswith(("-h", "--host", *addresses))


def _leave(program: str, error: MirrorError) -> NoReturn:
    print(f"{program}: {error}", file=sys.stderr)
    HELD.close()  # while Python still can
    raise SystemExit(error.exit_status)


if __name__ == "__main__":
    run()
