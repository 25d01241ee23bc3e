"""Live passes over any sequence of changes, failures and pauses: nothing that moved is missed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from extract.listing.listing import Listing
from extract.listing.reader import Arrived
from tests.faults.lab import Case, run_here
from tests.faults.truth import RELATIONS, differences

pytestmark = pytest.mark.faults
TABLES = ("users", "cursus_users", *RELATIONS)
CHANGE = st.fixed_dictionaries(
    {
        "edit_with_updated_at": st.integers(0, 12),
        "new_users": st.integers(0, 2),
        "new_relations": st.integers(0, 6),
    }
)
FAULTS = ("denied_403", "string_for_number", "truncated_json", "row_moved", "empty_list")
STEP = st.one_of(
    CHANGE,
    st.just("live"),
    st.sampled_from([60, 3600, 86400]),  # seconds that pass
    st.sampled_from(FAULTS),  # a live pass that meets it
)


@pytest.mark.usefixtures("impatient")
def test_any_changes_and_failures_between_live_passes(case: Case) -> None:
    for mode in ("full", "backfill"):
        ran = run_here(mode)
        assert ran.error is None, ran.said

    @settings(
        max_examples=6,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(steps=st.lists(STEP, min_size=2, max_size=5))
    def sequence(steps: Sequence[object]) -> None:
        for step in steps:
            if isinstance(step, dict):
                case.sandbox.control("advance", step)
            elif isinstance(step, int):
                case.sandbox.control("clock", {"advance_seconds": step})
            else:
                if step in FAULTS:
                    case.sandbox.break_(kind=str(step), path=r"range%5Bupdated_at", call=3)
                run_here("live")
                case.sandbox.mend()
        ran = run_here("live")
        assert ran.error is None, ran.said
        assert not differences(case.connection, case.sandbox.truth, TABLES)

    sequence()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("mode", ["live", "full"])
def test_sessions_that_begin_and_end_with_every_page_are_read(
    mode: str, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", "seats")
    assert run_here("full").error is None
    for seed in range(3):  # some hours without a pass
        case.sandbox.control("advance", {"open_sessions": 100, "seed": seed})
    one = {"open_sessions": 1, "close_sessions": 1}

    def live_on(listing: Listing, page: Arrived) -> None:
        if listing.table == "locations" and listing.merged:
            case.sandbox.control("advance", one)

    ran = run_here(mode, on_page=live_on)

    assert ran.done is not None, ran.said
    assert "the list changed while it was read" in ran.said
    assert not ran.done.degraded
    run_here("live")
    listed = case.sandbox.truth.rows("locations")
    open_ones = {key for (key,), row in listed.items() if row["end_at"] is None}
    found = {key for (key,) in case.ask("select id from raw.locations where end_at is null")}
    assert found <= open_ones
    begun = {key for (key,), row in listed.items() if row["begin_at"] > "2026-11-15"}
    assert begun <= {key for (key,) in case.ask("select id from raw.locations")}
