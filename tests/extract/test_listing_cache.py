"""Cached listings: each is whole, answers its own question, and goes in time."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from extract.listing.cache import ListingCache
from extract.listing.columns import to_arrow
from extract.listing.listing import Finished, Listing
from extract.tables import TABLES
from tests.extract.test_listings import LISTING, row

FIRST, SECOND, THIRD = (replace(LISTING, path=f"/{name}") for name in ("first", "second", "third"))


def finished(listing: Listing, rows: int, at: float | None = None) -> Finished:
    """A listing with so many rows, read now or at another time."""
    table = to_arrow(TABLES[listing.table], [row(key) for key in range(rows)], "/x")
    return Finished(listing, table, 1, 1, at or time.time())


def kept(directory: Path) -> dict[str, int]:
    """What the next run finds: rows by path."""
    store = ListingCache(directory)
    found = {listing.path: store.get(listing, "url") for listing in (FIRST, SECOND, THIRD)}
    return {path: len(one.keys()) for path, one in found.items() if one}


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Nothing can be written beyond so many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_kept_listing_comes_back_as_it_was(tmp_path: Path) -> None:
    store = ListingCache(tmp_path)
    for listing, rows in ((FIRST, 3), (SECOND, 0)):
        store.put(finished(listing, rows), "url")
    again = ListingCache(tmp_path)
    for listing, rows in ((FIRST, 3), (SECOND, 0)):
        for one in (store, again):
            answer = one.get(listing, "url")
            assert answer and answer.table.equals(finished(listing, rows).table)
    assert not again.get(FIRST, "another API") and not again.get(THIRD, "url")


def test_of_a_listing_that_was_kept_twice_the_later_counts(tmp_path: Path) -> None:
    store = ListingCache(tmp_path)
    store.put(finished(FIRST, 3), "url")
    store.put(finished(FIRST, 5), "url")
    assert kept(tmp_path) == {"/first": 5}


def test_what_is_dropped_is_gone_and_the_rest_stays(tmp_path: Path) -> None:
    store = ListingCache(tmp_path)
    for listing in (FIRST, SECOND):
        store.put(finished(listing, 3), "url")
    store.drop([FIRST], "url")
    assert not store.get(FIRST, "url")
    store.put(finished(THIRD, 4), "url")
    assert kept(tmp_path) == {"/second": 3, "/third": 4}
    store.drop([SECOND, THIRD], "url")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("hours", [-7, 24])
def test_an_old_listing_or_one_of_a_wrong_clock_is_no_answer(hours: int, tmp_path: Path) -> None:
    store = ListingCache(tmp_path)
    store.put(finished(FIRST, 3, time.time() + 3600 * hours), "url")
    assert not store.get(FIRST, "url")
    assert kept(tmp_path) == {}
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_cut_short_gives_no_wrong_answer_and_stops_nobody(tmp_path: Path) -> None:
    store = ListingCache(tmp_path)
    store.put(finished(FIRST, 300), "url")
    (file,) = tmp_path.iterdir()
    written = file.read_bytes()
    for end in (0, 5, 17, 25, 50, *range(700, len(written), 997), len(written) - 1):
        file.write_bytes(written[:end])
        assert "/first" not in kept(tmp_path)
        ListingCache(tmp_path).put(finished(SECOND, 3), "url")
        assert kept(tmp_path) == {"/second": 3}
    file.write_bytes(b"\x00" * 5000 + written)
    assert kept(tmp_path) == {"/second": 3}


def test_another_process_never_has_one_listing_taken_for_another(tmp_path: Path) -> None:
    store = ListingCache(tmp_path)
    for listing in (FIRST, SECOND):
        store.put(finished(listing, 3), "url")
    ListingCache(tmp_path).drop([FIRST], "url")
    assert not store.get(FIRST, "url")
    store.drop([THIRD, SECOND], "url")
    assert kept(tmp_path) == {}


def test_damaged_rows_are_no_answer(tmp_path: Path) -> None:
    store = ListingCache(tmp_path)
    store.put(finished(FIRST, 3), "url")
    (file,) = tmp_path.iterdir()
    written = file.read_bytes()
    for place in range(0, len(written), 397):
        file.write_bytes(written[:place] + bytes([written[place] ^ 1]) + written[place + 1 :])
        assert kept(tmp_path) == {}


def test_a_full_disk_keeps_what_was_kept(tmp_path: Path) -> None:
    store = ListingCache(tmp_path)
    store.put(finished(FIRST, 3), "url")
    (file,) = tmp_path.iterdir()
    with (
        files_of_at_most(file.stat().st_size + 1000),
        pytest.raises(OSError, match="coalitions_users"),
    ):
        store.put(finished(SECOND, 1000), "url")
    assert not store.get(SECOND, "url")
    store.put(finished(THIRD, 4), "url")
    assert kept(tmp_path) == {"/first": 3, "/third": 4}


def test_a_full_disk_never_leaves_what_is_loaded(tmp_path: Path) -> None:
    store = ListingCache(tmp_path)
    store.put(finished(FIRST, 3), "url")
    store.put(finished(SECOND, 1000), "url")
    with files_of_at_most(1000):
        store.drop([FIRST], "url")
    assert not store.get(FIRST, "url")
    assert kept(tmp_path) == {"/second": 1000}


def test_a_listing_of_another_version_is_no_answer(tmp_path: Path) -> None:
    store = ListingCache(tmp_path)
    before = finished(FIRST, 3)
    store.put(replace(before, table=before.table.drop_columns(["score"])), "url")
    (tmp_path / "listings.sqlite").write_bytes(b"as it was before")
    assert kept(tmp_path) == {}
    assert [path.suffix for path in tmp_path.iterdir()] == [".arrow"]
