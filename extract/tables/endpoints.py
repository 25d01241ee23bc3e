"""Where each raw table is read from: the cheapest honest endpoint (42-api.md section 4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from extract.listing.listings import Listing

# more ids in one filter are answered 502 (42-api.md section 4)
IDS_A_CALL = 100
# both bounds of a range are required in practice
FAR_FUTURE = "2100-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class Endpoint:
    """One listing.

    Attributes:
        path: Below `/v2`; `{cursus}` is the anchor cursus.
        always_has_rows: An empty answer to the whole listing is an error.
    """

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    always_has_rows: bool = False
    in_flight: int = 100


BY_ID = {"sort": "id"}
STUDENTS = {"filter[kind]": "student", "filter[alumni?]": "false"}

REFERENCE = {
    "cursus": Endpoint("/cursus", BY_ID, always_has_rows=True),
    "campus": Endpoint("/campus", BY_ID, always_has_rows=True),
    # 100 projects carry some 4,000 campus objects: one such page at a time is enough for the memory
    "projects": Endpoint("/cursus/{cursus}/projects", BY_ID, always_has_rows=True, in_flight=1),
    "achievements": Endpoint("/achievements", BY_ID, always_has_rows=True),
    "coalitions": Endpoint("/coalitions", BY_ID, always_has_rows=True),
    "blocs": Endpoint("/blocs", BY_ID, always_has_rows=True),
}
USERS = Endpoint("/cursus/{cursus}/users", BY_ID)
# projects_users documents no sort: its order is updated_at, descending (42-api.md section 4.1)
RELATIONS = {
    "cursus_users": Endpoint("/cursus/{cursus}/cursus_users", BY_ID),
    "projects_users": Endpoint("/projects_users"),
    "achievements_users": Endpoint("/achievements_users", BY_ID),
    "coalitions_users": Endpoint("/coalitions_users", BY_ID),
}
CAMPUS_USERS = Endpoint("/campus_users", {**BY_ID, "filter[is_primary]": "true"})
BIG_RELATIONS = ("coalitions_users", "projects_users", "achievements_users")

# which rows of a raw table one listing covers, i.e. may delete: the values of this column
SCOPE_COLUMN = {
    **dict.fromkeys(REFERENCE, "id"),
    "campus_achievements": "campus_id",
    "users": "campus_id",
    **dict.fromkeys(RELATIONS, "user_id"),
    "campus_users": "user_id",
}


def reference_listing(table: str, cursus_id: int) -> Listing:
    """The whole listing of a reference table."""
    endpoint = REFERENCE[table]
    return Listing(
        table,
        "all",
        endpoint.path.format(cursus=cursus_id),
        endpoint.params,
        must_have_rows=endpoint.always_has_rows,
        in_flight=endpoint.in_flight,
    )


def campus_achievements_listing(campus_id: int) -> Listing:
    """The achievements of one campus, as pairs of ids."""

    def pair(row: dict[str, Any]) -> dict[str, Any]:
        return {"achievement_id": row.get("id")}

    return Listing(
        "campus_achievements",
        f"campus {campus_id}",
        f"/campus/{campus_id}/achievements",
        BY_ID,
        {"campus_id": campus_id},
        change_row=pair,
    )


def campus_students_listing(campus_id: int, cursus_id: int) -> Listing:
    """The students of the cursus whose primary campus this is: so the campus is known."""
    return Listing(
        "users",
        f"campus {campus_id}",
        USERS.path.format(cursus=cursus_id),
        {**USERS.params, **STUDENTS, "filter[primary_campus_id]": str(campus_id)},
        {"campus_id": campus_id},
    )


def users_by_id_listing(
    ids: Sequence[int], campus_of: Mapping[int, int], cursus_id: int
) -> Listing:
    """At most 100 students by id, with the campus that is known of them."""
    return Listing(
        "users",
        f"{len(ids)} ids",
        USERS.path.format(cursus=cursus_id),
        {**USERS.params, **STUDENTS, "filter[id]": _join(ids)},
        change_row=lambda row: {**row, "campus_id": campus_of.get(row.get("id", 0), 0)},
    )


def changed_users_listing(since: datetime, campus_of: Mapping[int, int], cursus_id: int) -> Listing:
    """Everybody of the cursus who changed; not only students, so that leaving is seen too."""
    return Listing(
        "users",
        f"since {since:%F %T}",
        USERS.path.format(cursus=cursus_id),
        {**USERS.params, "range[updated_at]": _since(since)},
        change_row=lambda row: {**row, "campus_id": campus_of.get(row.get("id", 0), 0)},
    )


def relation_listing(
    table: str, ids: Sequence[int], cursus_id: int, *, background: bool = False
) -> Listing:
    """The rows of at most 100 users in a relation table."""
    endpoint = CAMPUS_USERS if table == "campus_users" else RELATIONS[table]
    return Listing(
        table,
        f"{len(ids)} users",
        endpoint.path.format(cursus=cursus_id),
        {**endpoint.params, "filter[user_id]": _join(ids)},
        background=background,
        # one row a user here: a full page is the rule, not a sign of more
        to_short_page=table not in ("cursus_users", "campus_users"),
    )


def changed_relations_listing(table: str, since: datetime, cursus_id: int) -> Listing:
    """The rows of a relation table that changed."""
    endpoint = CAMPUS_USERS if table == "campus_users" else RELATIONS[table]
    return Listing(
        table,
        f"since {since:%F %T}",
        endpoint.path.format(cursus=cursus_id),
        {**endpoint.params, "range[updated_at]": _since(since)},
    )


def batches(ids: Iterable[int], size: int = IDS_A_CALL) -> Iterator[list[int]]:
    """Lists of at most `size` ids; never an empty one (an empty filter is no filter)."""
    iterator = iter(ids)
    while batch := list(islice(iterator, size)):
        yield batch


def _join(ids: Sequence[int]) -> str:
    return ",".join(map(str, ids))


def _since(moment: datetime) -> str:
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    return f"{text}Z,{FAR_FUTURE}"
