"""One extraction from start to end: lock, token, pass, record."""

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psycopg2
from psycopg2.extensions import connection as Connection

from extract.api.auth import ClientCredentials
from extract.api.client import FortyTwoClient
from extract.api.quota import Quota
from extract.base import logs
from extract.base.errors import BudgetSpent, CredentialsError, MirrorError, UsageError
from extract.base.lock import recorded_mode, require_mode
from extract.base.settings import (
    WARN_SECRET_DAYS,
    Settings,
    local_directory,
    make_private,
    working_directory,
)
from extract.listing.cache import ListingCache
from extract.listing.reader import ListingReader
from extract.load.context import Pass
from extract.load.pipeline import Loader, named
from extract.load.raw import Raw
from extract.load.record import Phases, Record, create_schema, last_pass
from extract.passes.backfill import (
    Backfill,
    mark_open_stale,
    mark_what_comes_along_stale,
    nightly_share,
    was_started,
)
from extract.passes.full import full
from extract.passes.live import live
from extract.people import kept_out
from extract.people.erase import anonymised_users, erase
from extract.progress import ExtractionProgress
from extract.tables import streams_on

# longest wait for the API's hour before a run gives up with 75, in seconds
LONGEST_WAIT = {"full": 3700.0, "live": 300.0, "backfill": 0.0}


@dataclass
class Extracted:
    """What an extraction did.

    Attributes:
        rows: Rows read, by raw table.
        calls: API calls made, retries included; `calls_of`: good answers by raw table.
        degraded: Optional tables that were left as they were, and why.
        stopped: Why it ended early although nothing failed (the budget); empty otherwise.
    """

    run_id: str
    mode: str
    rows: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    calls_of: Mapping[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    degraded: dict[str, str] = field(default_factory=dict)
    stopped: str = ""

    def remarks(self) -> list[str]:
        """What a person should know of a run that did not fail."""
        degraded = [
            f"degraded: {table} is as it was. {why}" for table, why in self.degraded.items()
        ]
        return [*degraded, self.stopped] if self.stopped else degraded


def extract(
    mode: str,
    *,
    max_calls: int | None = None,
    campus_ids: Collection[int] | None = None,
    progress: ExtractionProgress,
    connection: Connection,
    run_id: str,
) -> Extracted:
    """Read one pass from the API into `raw`.

    Args:
        connection: Holds the run lock; in autocommit mode.

    Raises:
        MirrorError: Nothing was loaded; the message says why.
    """
    require_mode(mode)
    settings, streams = Settings.load(), streams_on()
    make_private()
    create_schema(connection)
    record, raw, phases = Record(connection, run_id), Raw(connection), Phases()
    before = record.last_api_url()
    _refuse_another_world(settings, before, raw)
    if before != settings.api_url:  # what was refused was another, such as a mistyped one
        record.forget_refusals()
    if mode == "live" and raw.newest_update("users") is None:
        progress.say("There is no full pass to build on yet: doing one.")
        mode = "full"
    quota = Quota(  # shared with every process that uses this application
        settings.application,
        max_calls=max_calls,
        max_wait=LONGEST_WAIT[mode],
        on_wait=progress.waiting,
    )
    done = Extracted(run_id, mode, calls_of=record.calls_of, seconds=phases.seconds)
    with _on_record(done, record, quota, settings.api_url):
        recorded = recorded_mode(mode, campus_ids)
        record.start(recorded, allow_deletes=settings.allow_deletes)
        calls_before = {name: calls for name, (_, calls) in last_pass(connection, recorded).items()}
        progress.follow(quota, calls_before, record.progress)
        kept_out.give_keys(connection)
        people_kept_out = kept_out.load(connection)
        client = FortyTwoClient(settings, quota, on_call=record.call)
        client.auth.prepare_for_run()
        record.application(settings.api_url, client.auth)
        _warn_about_secret(client.auth, progress)
        reader = ListingReader(
            client,
            ListingCache(local_directory() / "listings"),
            settings.api_url,
            settings.requests_in_flight,
            on_page=progress.page,
            on_cached=progress.cached,
            on_reread=lambda listing, reason: progress.say(
                f"{listing.table} ({listing.key}): {reason}; reading it again."
            ),
            kept_out=people_kept_out,
        )
        context = Pass(settings, reader, raw, record, streams, campus_ids, progress.say)
        context.plan = progress.plan
        done.degraded, done.rows = context.degraded, context.rows
        _pass(context, client, connection, done, phases)
        if client.cleaned:
            progress.say(
                f"{client.cleaned} texts had NUL or broken Unicode characters, which PostgreSQL "
                "cannot store: they were replaced."
            )
    return done


@contextmanager
def _on_record(done: Extracted, record: Record, quota: Quota, api_url: str) -> Iterator[None]:
    """Put on record how the run ended, whatever ended it."""
    try:
        yield
        record.update(status="stopped" if done.stopped else "loaded", message=done.stopped or None)
    except BaseException as error:
        cause = named(error)
        text = str(cause) if isinstance(cause, MirrorError) else type(cause).__name__
        status = "stopped" if isinstance(cause, BudgetSpent) else "failed"
        if isinstance(cause, KeyboardInterrupt):
            status, text = (
                "stopped",
                "Stopped by Ctrl-C or SIGTERM; the next run goes on from here.",
            )
        # a database that is gone takes no note of it: what is raised must say so
        with suppress(psycopg2.Error):
            record.update(status=status, message=text)
            if isinstance(cause, CredentialsError):
                record.refused(api_url)
        if cause is error:
            raise
        raise cause from error
    finally:
        # dlt's trace of a failure repeats what the API or the database said, people's data included
        shutil.rmtree(working_directory("dlt"), ignore_errors=True)
        done.calls = quota.calls
        with suppress(psycopg2.Error):
            record.update(calls=done.calls, seconds=done.seconds, degraded=done.degraded or None)
            record.flush()
            record.close()
        logs.event(
            "extract",
            mode=done.mode,
            calls=done.calls,
            statuses=dict(record.statuses),
            rows=done.rows,
            degraded=done.degraded,
            seconds=done.seconds,
        )


def _pass(
    context: Pass, client: FortyTwoClient, connection: Connection, done: Extracted, phases: Phases
) -> None:
    """Read and load what the mode wants, then what there is quota for."""
    raw, mode = context.raw, done.mode
    context.know_refusals()
    loader = Loader()
    raw.delete_old(done.run_id)
    mark_what_comes_along_stale(connection, context.streams)
    phases.done("prepare")
    if mode != "backfill":
        make = live if mode == "live" else full
        whole = mode == "full" and context.campus_ids is None
        if whole:
            raw.delete_orphaned_relations(without_parent=True)
        loader.load(context, make, on_extracted=lambda: phases.done("read"))
        context.drop_finished()
        if whole:
            raw.delete_orphaned_relations()
            mark_open_stale(connection, raw)
        _erase_anonymised(context, connection, done.run_id)
        phases.done("load")
    backfill = Backfill(context, loader, client, connection)
    _backfill(backfill, mode, context, connection)
    if backfill.batches_read:
        phases.done("backfill")
    if mode == "backfill":
        done.stopped = backfill.stopped


def _backfill(backfill: Backfill, mode: str, context: Pass, connection: Connection) -> None:
    """The part of the backfill that this mode does (see `Settings.backfill_calls`)."""
    calls = context.settings.backfill_calls
    if mode == "backfill":
        backfill.run()
    elif calls is not None:
        backfill.run(calls, refresh=mode == "full")
    elif mode == "full" and context.campus_ids is None and was_started(connection):
        backfill.run(nightly_share(context), refresh=True)


def _refuse_another_world(settings: Settings, before: str, raw: Raw) -> None:
    """Never mix the sandbox's invented people with 42's, nor the students of two cursus."""
    if before and _on_this_machine(before) != _on_this_machine(settings.api_url):
        raise UsageError(
            f"This database mirrors {before}, and now {settings.api_url} was asked for: invented "
            "people and real ones would mix. Nothing was started. Correct FORTYTWO_API_URL and the "
            "credentials (environment or .env); or name another database (PGDATABASE) or folder "
            "(FORTYTWO_LOCAL); or begin anew: `make uninstall` says what would go, backups stay."
        )
    cursus = raw.newest("cursus_users", "cursus_id")
    if cursus not in (None, settings.cursus_id):
        raise UsageError(
            f"This database mirrors cursus {cursus}, and FORTYTWO_CURSUS_ID is "
            f"{settings.cursus_id}. Nothing was started. Each cursus needs a database of its own "
            "(PGDATABASE)."
        )


def _on_this_machine(api_url: str) -> bool:
    return urlsplit(api_url).hostname in ("127.0.0.1", "localhost", "::1")


def _erase_anonymised(context: Pass, connection: Connection, run_id: str) -> None:
    anonymised = context.anonymised | anonymised_users(connection)
    if anonymised:
        erase(connection, anonymised, "anonymised by 42", run_id)
        context.report(
            f"{len(anonymised)} people were anonymised by 42: erased from raw, mirror, snapshots "
            "and ops."
        )


def _warn_about_secret(auth: ClientCredentials, progress: ExtractionProgress) -> None:
    if auth.using_next_secret:
        progress.say(
            "FORTYTWO_CLIENT_SECRET is refused; FORTYTWO_CLIENT_SECRET_NEXT took over. Make it the "
            "current one and put a fresh next one into .env."
        )
    days = auth.secret_days()
    if days is not None and days < WARN_SECRET_DAYS:
        progress.say(
            f"The application's secret expires in {days:.1f} days: make a new one on the intra "
            "(Settings > API) and put it into .env as FORTYTWO_CLIENT_SECRET_NEXT."
        )
