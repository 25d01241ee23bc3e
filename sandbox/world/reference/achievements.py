"""Achievements and titles."""

from __future__ import annotations

from random import Random
from typing import Any

from sandbox.world.scale import Scale, spread
from sandbox.world.values import API_URL, DAY, at, iso, slugify

Row = dict[str, Any]

_TIERS = ("none", "easy", "medium", "hard", "challenge")
_KINDS = ("project", "social", "scolarity", "pedagogy")
_DEEDS = ("Home is where", "Falling", "Bill", "Early bird", "Night owl", "I have no idea",
          "All work", "Perfect", "Marathon", "Film buff", "Love me", "Phœnix")  # fmt: skip
_ENDS = ("the code is", "with style", "of the week", "and no play", "forever", "at last", "!")


def build_titles(count: int) -> list[Row]:
    """Make titles; most of them wait for a login to be put in."""
    names = ("%login, breaker of loops", "Grand master %login", "Altruist %login", "%login")
    return [
        {"id": n + 1, "name": f"{names[n % len(names)]}{' ' + str(n) if n >= 4 else ''}"}
        for n in range(count)
    ]


def build_achievements(
    scale: Scale, campuses: list[Row], titles: list[Row], random: Random
) -> list[Row]:
    """Make achievements whose (achievement, kept campus) pairs add up to the scale's number."""
    kept = [row["id"] for row in campuses if row["_kind"] == "kept"]
    odd = [row["id"] for row in campuses if row["_kind"] != "kept"]
    ids = sorted(random.sample(range(1, scale.achievements + 160), scale.achievements))
    wishes = [
        random.randrange(len(kept) * 3 // 4, len(kept) + 1)
        if random.random() < 0.06
        else random.randrange(1, 4)
        for _ in range(scale.kept_achievements)
    ]
    counts = spread(scale.campus_achievements, scale.kept_achievements, 1, len(kept), wishes)
    counts += [0] * (scale.achievements - scale.kept_achievements)
    order = random.sample(range(scale.achievements), scale.achievements)
    rows: list[Row] = []
    for n, achievement_id in enumerate(ids):
        count = counts[order[n]]
        offered = random.sample(kept, count)
        if not count and n % 3:
            offered += random.sample(odd, 1 + n % 2)
        elif count and random.random() < 0.3:
            offered += random.sample(odd, random.randrange(1, min(4, len(odd))))
        rows.append(_achievement(achievement_id, offered, random))
    _cover(rows, [row["id"] for row in campuses if row["_kind"] == "unlisted"])
    for n, row in enumerate(random.sample(rows, scale.titled_achievements)):
        row["title"] = dict(titles[n % len(titles)])
    _family(rows, scale.parent_achievements, random)
    return rows


def _cover(rows: list[Row], unlisted: list[int]) -> None:
    """Every unlisted campus is named by some achievement."""
    for n, campus_id in enumerate(unlisted):
        if campus_id not in rows[n]["campus"]:
            rows[n]["campus"].append(campus_id)


def _achievement(achievement_id: int, offered: list[int], random: Random) -> Row:
    name = f"{random.choice(_DEEDS)} {random.choice(_ENDS)}"
    pictured = random.random() < 0.9
    return {
        "id": achievement_id,
        "name": name,
        "description": f"Did it {random.randrange(2, 50)} times. Bravo !",
        "tier": random.choice(_TIERS),
        "kind": random.choice(_KINDS),
        "visible": True,
        "image": f"/uploads/achievement/image/{achievement_id}/PRO{achievement_id:03d}.svg"
        if pictured
        else None,
        "nbr_of_success": random.choice([None, None, 1, 10, 42]),
        "users_url": f"{API_URL}/achievements/{achievement_id}/users",
        "achievements": [],
        "campus": offered,
        "parent": None,
        "title": None,
        "_slug": f"{slugify(name)}-{achievement_id}",
        "_created_at": iso(at(2014) + achievement_id * DAY),
        "_updated_at": iso(at(2019) + achievement_id * DAY),
    }


def _family(rows: list[Row], parents: int, random: Random) -> None:
    """Give each chosen parent one to three children; no parent is missing from the list."""
    chosen = random.sample(rows, parents * 4)
    elders, young = chosen[:parents], chosen[parents:]
    nine = ("id", "name", "description", "tier", "kind", "visible", "image", "nbr_of_success",
            "users_url")  # fmt: skip
    for n, elder in enumerate(elders):
        for child in young[n * 3 : n * 3 + 1 + n % 3]:
            child["parent"] = {key: elder[key] for key in nine}
            elder["achievements"].append(child["name"])
