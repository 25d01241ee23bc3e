"""Shortcuts into relations that are computed on request."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sandbox.api.query import Query, Rules, bounds
from sandbox.resources.base import Row, numbers
from sandbox.resources.people import user_finder
from sandbox.world.relations.lazy import LazyRelation
from sandbox.world.world import World


def candidates(
    world: World,
    relation: LazyRelation[Any],
    found: Rules,
    others: Mapping[str, Callable[[int], Iterable[Row]]],
    moment: str = "updated_at",
) -> Callable[[Query], Iterable[Row]]:
    """Build the narrowest candidates: a few people, a few ids, a range of time, one parent.

    Args:
        world: whose people.
        relation: the rows.
        found: the endpoint's rules.
        others: further columns that name a parent, and how to find its rows.
        moment: the column by which the relation is in order.
    """

    def rows(query: Query) -> Iterable[Row]:
        if "user_id" in query.filters:
            people = [world.users.get(key) for key in numbers(query.filters["user_id"])]
            return [row for user in people if user for row in relation.of_user(user)]
        if "user_id" in query.plain:
            user = user_finder(world)(query.plain["user_id"])
            return relation.of_user(user) if user else []
        if "id" in query.filters:
            known = [relation.find(row_id) for row_id in numbers(query.filters["id"])]
            return [row for row in known if row is not None]
        if moment in query.ranges:
            low, high = bounds(query, found, moment)
            return [relation.find(row_id) for _, row_id in relation.ids_updated(low, high)]
        for name, of_other in others.items():
            if name in query.filters or query.plain.get(name, "").isdecimal():
                wanted = query.filters.get(name) or [query.plain[name]]
                return [row for key in numbers(wanted) for row in of_other(key)]
        return relation.all()

    return rows


def quick(
    relation: LazyRelation[Any], found: Rules, default: str, moment: str = "updated_at"
) -> Callable[[Query], Sequence[int] | None]:
    """Build the shortcut for whole lists and ranges of time: ids only, rows on request."""

    def answer(query: Query) -> Sequence[int] | None:
        if query.filters or query.ranges.keys() - {moment} or len(query.sort) > 1:
            return None
        column, descending = query.sort[0] if query.sort else (default, True)
        if column not in ("id", moment):
            return None
        low, high = None, None
        if moment in query.ranges:
            low, high = bounds(query, found, moment)
        pairs = relation.ids_updated(low, high)
        if column == "id":
            return array("q", sorted((row_id for _, row_id in pairs), reverse=descending))
        pairs.sort(reverse=descending)
        return array("q", (row_id for _, row_id in pairs))

    return answer
