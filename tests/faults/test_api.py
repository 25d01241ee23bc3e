"""Each fault of the API on each kind of reading: recovered exactly, or nothing happened.

After each, the next plain run ends equal to the truth. The cases are in table.py.
"""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from extract.errors import MirrorError
from tests.faults.lab import Case, Ran, run_here
from tests.faults.table import FAULTS, TARGETS, Fault, Injection, Outcome, Target
from tests.faults.truth import differences, stored

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


def unknown(case: Case, target: Target) -> int:
    """Rows of raw with a field that the contract does not know."""
    query = f"select count(*) from raw.{target.table} where unknown_fields is not null"
    ((count,),) = case.ask(query)
    return int(count)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_loses_nothing(
    fault: Fault, target: Target, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in fault.patience.items():
        monkeypatch.setattr(name, value)
    outcome = fault.outcome_of(target)
    said = re.sub(r"{(\w+)}", lambda name: getattr(target, name[1]), fault.said)
    earlier = stored(case.connection, target.table)
    for injection in fault.inject:
        case.sandbox.break_(**body(injection, target))

    ran = read(target)

    assert all(case.sandbox.fired()), "the fault did not strike"
    if outcome in FAILURES:
        assert isinstance(ran.error, MirrorError), ran.error
        assert ran.error.exit_status == FAILURES[outcome]
        assert re.search(said, str(ran.error)), str(ran.error)
        assert "\n" not in str(ran.error)
        # exactly as before: dlt's own columns too
        assert stored(case.connection, target.table) == earlier
    else:
        assert ran.error is None, ran.said
        found = wrong(case, target) if outcome is not Outcome.STOPPED else []
        if outcome is Outcome.KEPT:
            assert unknown(case, target)
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

    case.sandbox.mend()
    if target.mode == "backfill":
        case.ask("update ops.relation_reads set stale = true returning 1")
    again = read(target)
    patient_until = time.monotonic() + 20
    while again.done and again.done.stopped and time.monotonic() < patient_until:
        time.sleep(0.5)  # the hour is not over yet
        again = read(target)

    assert again.error is None, again.said
    assert not wrong(case, target)
    assert not unknown(case, target)
