"""Events with those who signed up for them, and exams."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from sandbox.world.people.users import ANCHOR, PISCINE, User
from sandbox.world.values import DAY, EPOCH_MS, HOUR, iso

Row = dict[str, Any]

# An open list: one of them is in no published enumeration.
_KINDS = ("pedago", "rush", "piscine", "partnership", "meet", "conference", "meet_up", "event",
          "association", "speed_working", "hackathon", "workshop", "challenge", "other", "extern",
          "atelier")  # fmt: skip
_THEMES = ("Security", "Video games", "Design", "Careers", "Écologie")
_BORN = "2019-03-04T10:11:12.131Z"


@dataclass(slots=True)
class EventsUser:
    """One person who signed up for one event."""

    id: int
    event_id: int
    user_id: int
    created_at: int
    updated_at: int


def build_event(event_id: int, campuses: list[int], begin: int, random: Random) -> Row:
    """Make one event at one campus or several."""
    kind = random.choice(_KINDS)
    created = begin - random.randrange(5, 40) * DAY
    everywhere = random.random() < 0.05
    return {
        "id": event_id,
        "name": f"{kind.replace('_', ' ').capitalize()} {event_id}",
        "description": "Bring a friend.\r\n\r\nOu venez seul.",
        "location": random.choice(["Amphithéâtre", "Cluster 1", "Online", ""]),
        "kind": kind,
        "max_people": random.choice([None, None, 12, 40, 150]),
        "nbr_subscribers": random.randrange(60),
        "begin_at": iso(begin),
        "end_at": iso(begin + random.choice([1, 2, 4, 48]) * HOUR),
        "campus_ids": random.sample(campuses, min(len(campuses), 8)) if everywhere
        else [random.choice(campuses)],
        "cursus_ids": random.choice([[ANCHOR], [ANCHOR], [PISCINE], [ANCHOR, PISCINE], []]),
        "created_at": iso(created),
        "updated_at": iso(min(created + random.randrange(4 * DAY), EPOCH_MS - HOUR)),
        "prohibition_of_cancellation": random.choice([None, None, 24]),
        "waitlist": {
            "id": event_id + 50,
            "waitlistable_id": event_id,
            "waitlistable_type": "Event",
            "created_at": iso(created),
            "updated_at": iso(created),
        }
        if random.random() < 0.2
        else None,
        "themes": [
            {"id": n + 1, "name": _THEMES[n], "created_at": _BORN, "updated_at": _BORN}
            for n in random.sample(range(len(_THEMES)), random.randrange(3))
        ],
        "_difficulty": None,
        "_remote": random.random() < 0.1,
    }  # fmt: skip


def build_events(campuses: list[int], each: int, random: Random) -> list[Row]:
    """Make the events of half a year: a tenth of them are still to come."""
    rows = []
    for number in range(len(campuses) * each):
        begin = EPOCH_MS - 165 * DAY + random.randrange(185 * 24) * HOUR
        rows.append(build_event(30_000 + number, campuses, begin, random))
    for row in rows:
        row["created_at"] = min(row["created_at"], iso(EPOCH_MS - DAY))
        row["updated_at"] = max(row["created_at"], row["updated_at"])
    return rows


def build_events_users(
    events: list[Row], users: list[User], each: int, random: Random
) -> list[EventsUser]:
    """Sign people of the campus up, in the days before an event."""
    homes: dict[int | None, list[User]] = {}
    for user in users:
        homes.setdefault(user.campus_id, []).append(user)
    rows: list[EventsUser] = []
    for event in events:
        near = homes.get(event["campus_ids"][0], [])
        for user in random.sample(near, min(len(near), random.randrange(2 * each + 1))):
            stamp = EPOCH_MS - DAY - random.randrange(30 * DAY)
            rows.append(EventsUser(0, event["id"], user.id, stamp, stamp))
    rows.sort(key=lambda row: row.created_at)
    for number, row in enumerate(rows):
        row.id = 400_000 + number * 2
    return rows


def build_exams(campuses: list[int], projects: list[Row], each: int, random: Random) -> list[Row]:
    """Make the exams of half a year, each for one project or several."""
    rows: list[Row] = []
    for number in range(len(campuses) * each):
        begin = EPOCH_MS - 165 * DAY + random.randrange(180) * DAY + 14 * HOUR
        created = min(begin - 20 * DAY, EPOCH_MS - DAY)
        chosen = random.sample(projects, min(len(projects), random.randrange(1, 4)))
        rows.append(
            {
                "id": 12_000 + number,
                "ip_range": f"10.{random.randrange(10, 20)}.0.0/16",
                "begin_at": iso(begin),
                "end_at": iso(begin + random.choice([3, 4, 8]) * HOUR),
                "location": random.choice(["Cluster 1", "c2", "e1"]),
                "max_people": random.choice([None, 80, 200]),
                "nbr_subscribers": random.randrange(80),
                "name": random.choice(["Exam Rank 02", "C Piscine Exam 01", "Exam"]),
                "created_at": iso(created),
                "updated_at": iso(min(created + random.randrange(9) * DAY, EPOCH_MS - HOUR)),
                "_campus_id": random.choice(campuses),
                "_cursus_ids": random.choice([[ANCHOR], [ANCHOR], [PISCINE], [ANCHOR, PISCINE]]),
                "_project_ids": [row["id"] for row in chosen],
                "_visible": True,
            }
        )
    return rows
