"""Coalitions and the blocs that hold them."""

from __future__ import annotations

from random import Random
from typing import Any

from sandbox.world.scale import Scale, spread
from sandbox.world.values import CDN_URL, DAY, at, iso, slugify

Row = dict[str, Any]

_NAMES = ("Analysts", "Skyforge", "Tidewatch", "Emberhall", "Mossguard", "Ironleaf", "Cloudberry",
          "Nightjar", "Sunspire", "Brume", "Sørland", "Quartz")  # fmt: skip


def build(
    scale: Scale, campuses: list[Row], masters: list[int], random: Random
) -> tuple[list[Row], list[Row], list[int]]:
    """Make coalitions and blocs.

    Args:
        scale: how many.
        campuses: where blocs can be.
        masters: user ids a coalition's master is taken from.
        random: the source of chance.

    Returns:
        Coalitions, blocs, and the ids of coalitions that people still belong to though they
        are gone.
    """
    lost_count = max(4, scale.coalitions // 10)
    ids = random.sample(range(1, scale.coalitions * 2 + 100), scale.coalitions + lost_count)
    lost, living = ids[:lost_count], sorted(ids[lost_count:])
    places = [row["id"] for row in campuses if row["_kind"] == "kept"]
    places += [row["id"] for row in campuses if row["_kind"] == "unlisted"][:2]
    wishes = [random.randrange(2, 5) for _ in range(scale.blocs)]
    sizes = spread(scale.coalitions, scale.blocs, 1, 8, wishes)
    coalitions: list[Row] = []
    blocs: list[Row] = []
    position = 0
    for n, size in enumerate(sizes):
        created = at(2016) + n * 30 * DAY + random.randrange(DAY)
        bloc_id = 10 + n * 3
        blocs.append(
            {
                "id": bloc_id,
                "campus_id": places[n % len(places)],
                "cursus_id": 21 if n % 6 else 9,
                "squad_size": random.choice([None, 0, 3, 12]),
                "created_at": iso(created),
                "updated_at": iso(created + 20 * DAY),
            }
        )
        for _ in range(size):
            coalitions.append(
                _coalition(living[position], position, bloc_id, created, masters, random)
            )
            position += 1
    return coalitions, blocs, lost


def _coalition(
    coalition_id: int, n: int, bloc_id: int, created: int, masters: list[int], random: Random
) -> Row:
    # Exactly two are called Analysts and share the slug; ids alone are unique.
    name = "Analysts" if n in (0, 5) else f"{_NAMES[1 + n % (len(_NAMES) - 1)]} {n}"
    slug = slugify(name)
    return {
        "id": coalition_id,
        "name": name,
        "slug": slug,
        "image_url": f"{CDN_URL}/coalition/image/{coalition_id}/{slug}.svg",
        "cover_url": f"{CDN_URL}/coalition/cover/{coalition_id}/{slug}.jpg" if n % 9 else None,
        "color": f"#{random.randrange(1 << 24):06x}",
        "score": random.choice([0, random.randrange(2_000_000), random.randrange(50_000)]),
        "user_id": random.choice(masters),
        "_bloc_id": bloc_id,
        "_created_at": iso(created),
        "_updated_at": iso(created + 100 * DAY),
    }
