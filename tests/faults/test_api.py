"""Each fault of the API on each kind of reading: recovered exactly, or nothing happened.

After each, the next plain run ends equal to the truth. The cases are in table.py.
"""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from extract.base.errors import MirrorError
from tests.faults.lab import Case, Ran, run_here
from tests.faults.table import FAULTS, TARGETS, Fault, Injection, Outcome, Target
from tests.faults.truth import contents, differences, stored

pytestmark = pytest.mark.faults
FAILURES = {Outcome.FAILED: 1, Outcome.REFUSED: 2}
CAMPUS = 7  # the largest


def body(injection: Injection, target: Target) -> dict[str, Any]:
    """The injection with the target's own addresses and fields."""
    made = dict(injection)
    if made["kind"].startswith("token_") and made["kind"] not in ("token_expired", "token_revoked"):
        return made
    pages: dict[str, int | str] = {"second": 2, "any": r"\d+", "first": 1}
    made["path"] = target.on_page(pages[made.get("path", "second")])
    if made.get("field") in ("number", "text", "vital", "optional"):
        made["field"] = getattr(target, made["field"])
    return made


def read(target: Target) -> Ran:
    """The plain run that reads the target: one campus, so that it takes a second."""
    return run_here(target.mode, campus_ids=[CAMPUS])


def wrong(case: Case, target: Target) -> list[str]:
    """How raw differs from the truth, in what the run has read."""
    tables = [target.table] if target.mode == "backfill" else ["campus", "users", "cursus_users"]
    known = stored(case.connection, "users")
    here = {
        user
        for (user,), row in case.sandbox.truth.rows("users").items()
        if row["campus_id"] == CAMPUS and (target.mode == "full" or (user,) in known)
    }
    here |= {user for (user,), row in known.items() if row["campus_id"] == CAMPUS}
    if target.mode == "backfill":
        query = "select user_id from ops.relation_reads where resource = %s and not stale"
        assert here <= {user for (user,) in case.ask(query, target.table)}

    def read_by_it(row: dict[str, Any]) -> bool:
        if "campus_id" in row and "login" in row:
            return bool(row["campus_id"] == CAMPUS)
        return "users_count" in row or row.get("user_id", user_of(row)) in here

    return differences(case.connection, case.sandbox.truth, tables, read_by_it)


def user_of(row: dict[str, Any]) -> Any:
    """The user that a relation row nests."""
    return (row.get("user") or {}).get("id")


def unknown(case: Case, target: Target) -> list[dict[str, Any]]:
    """The fields of raw's rows that the contract does not know."""
    query = f"select unknown_fields from raw.{target.table} where unknown_fields is not null"
    return [fields for (fields,) in case.ask(query)]


def mark_stale(case: Case, target: Target) -> None:
    """Have a backfill read the target's table again, and nothing else."""
    case.ask("update ops.relation_reads set stale = resource = %s returning 1", target.table)


def pause_after_429(case: Case, page: str) -> float:
    """Seconds between a 429 of the page and the next call for it."""
    calls = [call for call in case.sandbox.log() if re.search(page, call["target"])]
    refused = next(i for i, call in enumerate(calls) if call["status"] == "429")
    return float(calls[refused + 1]["at"] - calls[refused]["at"])


def test_an_error_that_nobody_foresaw_keeps_its_name(
    case: Case, untouched: dict[str, dict[str, str]]
) -> None:
    def fail(listing: object, page: object) -> None:
        raise ZeroDivisionError("by nought")

    ran = run_here("full", on_page=fail)

    assert isinstance(ran.error, MirrorError)
    assert "dlt's step 'extract' failed: ZeroDivisionError: by nought" in str(ran.error)
    assert contents(case.connection, "raw") == untouched["raw"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("kind", "field", "said"),
    [
        ("unknown", "brand_new", "does not know yet: brand_new"),
        ("missing", TARGETS[0].optional, f"no longer sends .*{TARGETS[0].optional}"),
    ],
)
def test_drift_is_reported_once(kind: str, field: str, said: str, case: Case) -> None:
    campus = TARGETS[0]
    fault = {"unknown": "unknown_field", "missing": "field_gone"}[kind]
    case.sandbox.break_(kind=fault, field=field, call="every", path=campus.on_page(r"\d+"))
    first, again = read(campus), read(campus)
    assert len(re.findall(said, first.said)) == 1
    assert not re.findall(said, again.said)
    assert case.ask("select resource, field, kind from ops.drift") == [("campus", field, kind)]


@pytest.mark.usefixtures("impatient")
@pytest.mark.timeout(120, func_only=True)  # the session's fixtures take longer
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_loses_nothing(
    fault: Fault,
    target: Target,
    case: Case,
    untouched: dict[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in fault.patience.items():
        monkeypatch.setattr(name, value)
    outcome = fault.outcome_of(target)
    said = re.sub(r"{(\w+)}", lambda name: getattr(target, name[1]), fault.said)
    mark_stale(case, target)
    case.sandbox.forget_calls()
    for injection in fault.inject:
        case.sandbox.break_(**body(injection, target))

    ran = read(target)

    assert all(case.sandbox.fired()), "the fault did not strike"
    if outcome in FAILURES:
        assert isinstance(ran.error, MirrorError), ran.error
        assert ran.error.exit_status == FAILURES[outcome]
        assert re.search(said, str(ran.error)), str(ran.error)
        assert "\n" not in str(ran.error)
        # exactly as before: every table, dlt's own columns and tables too
        assert contents(case.connection, "raw") == untouched["raw"]
    elif outcome is Outcome.DEGRADED:
        assert ran.done is not None, ran.said
        assert ran.done.degraded.keys() == {target.table}
        assert re.search(said, ran.done.degraded[target.table]), ran.done.degraded
        after = contents(case.connection, "raw")
        assert after[target.table] == untouched["raw"][target.table]
    else:
        assert ran.error is None, ran.said
        found = wrong(case, target) if outcome is not Outcome.STOPPED else []
        if outcome is Outcome.KEPT:
            kept = unknown(case, target)
            assert kept
            assert fault.kept is None or kept[0] == {"brand_new": fault.kept}
        elif outcome is Outcome.CLEANED:
            assert len(found) == 1 and found.pop().endswith(f".{target.text}")
        elif outcome is Outcome.MISSING:
            assert found and all(where.endswith(f".{target.optional}") for where in found)
            found = []
        assert not found
        assert re.search(said, ran.said) or outcome in (Outcome.RECOVERED, Outcome.STOPPED)
    with case.connection.cursor() as cursor:
        cursor.execute("select status from ops.runs order by started_at desc limit 1")
        (status,) = cursor.fetchone() or ("",)
    assert status == {Outcome.STOPPED: "stopped"}.get(
        outcome, "failed" if outcome in FAILURES else "loaded"
    )

    assert contents(case.connection, "mirror") == untouched["mirror"]

    case.sandbox.mend()
    mark_stale(case, target)
    again = read(target)
    patient_until = time.monotonic() + 20
    while again.done and again.done.stopped and time.monotonic() < patient_until:
        time.sleep(0.5)  # the hour is not over yet
        again = read(target)

    assert again.error is None, again.said
    assert not wrong(case, target)
    assert not unknown(case, target)
    if fault.pause:
        assert pause_after_429(case, target.on_page(2)) >= fault.pause
