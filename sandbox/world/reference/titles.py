"""The small resources beside the mirror's: titles, groups, roles."""

from __future__ import annotations

from random import Random
from typing import Any

from sandbox.world.people.users import User
from sandbox.world.values import DAY, iso

Row = dict[str, Any]

_ROLES = ("Basic staff", "Advanced staff", "Basic tutor", "Advanced tutor", "Community manager",
          "Achievements manager", "Events manager", "42network")  # fmt: skip


def build_titles_users(users: list[User], titles: list[Row], random: Random) -> list[Row]:
    """Give a title to one person in twenty."""
    rows: list[Row] = []
    for user in random.sample(users, max(len(users) // 20, 5)):
        stamp = iso(user.begin_at + DAY)
        rows.append(
            {
                "id": 100 + len(rows),
                "user_id": user.id,
                "title_id": random.choice(titles)["id"],
                "selected": random.random() < 0.5,
                "created_at": stamp,
                "updated_at": stamp,
            }
        )
    return rows


def build_groups() -> list[Row]:
    """Make a page and a bit of groups; 119 holds the test accounts."""
    numbers = [*range(1, 40), 119]
    return [{"id": n, "name": "Test accounts" if n == 119 else f"Group {n}"} for n in numbers]


def build_groups_users(users: list[User], groups: list[Row], random: Random) -> list[Row]:
    """Put a few people in groups."""
    chosen = random.sample(users, min(len(users), 60))
    return [
        {"id": 500 + n, "user_id": user.id, "group": dict(groups[n % len(groups)])}
        for n, user in enumerate(chosen)
    ]


def build_roles() -> list[Row]:
    """Make the 34 roles of the list that ignores paging."""
    return [
        {"id": n + 1, "name": f"{_ROLES[n % len(_ROLES)]}{'' if n < 8 else f' {n}'}"}
        for n in range(34)
    ]
