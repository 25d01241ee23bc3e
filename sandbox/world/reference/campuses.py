"""Campuses: the ones that survive the mirror's rules and the ones that must not."""

from __future__ import annotations

from random import Random
from typing import Any

from sandbox.world.scale import Scale, spread
from sandbox.world.values import DAY, EPOCH_MS, at, iso, slugify

Row = dict[str, Any]

# (city, country, time zone, language id); two campuses are called Santiago on purpose.
_PLACES = (
    ("Santiago", "Chile", "America/Santiago", 3),
    ("Santiago", "Spain", "Europe/Madrid", 3),
    ("Ghent", "Belgium", "Europe/Brussels", 1),
    ("Turku", "Finland", "Europe/Helsinki", 2),
    ("Évora", "Portugal", "Europe/Lisbon", 4),
    ("Graz", "Austria", "Europe/Vienna", 5),
    ("Kōbe", "Japan", "Asia/Tokyo", 6),
    ("São Luís", "Brazil", "America/Sao_Paulo", 17),
    ("Bergen", "Norway", "Europe/Oslo", 2),
    ("Leeds", "United Kingdom", "Europe/London", 2),
    ("Brno", "Czechia", "Europe/Prague", 2),
    ("Daegu", "Korea, Republic of", "Asia/Seoul", 7),
    ("Izmir", "Türkiye", "Europe/Istanbul", 8),
    ("Tripoli", "Lebanon", "Asia/Beirut", 2),
    ("Gyumri", "Armenia", "Asia/Yerevan", 2),
    ("Hat Yai", "Thailand", "Asia/Bangkok", 2),
    ("Penang", "Malaysia", "Asia/Kuala_Lumpur", 2),
    ("Aqaba", "Jordan", "Asia/Amman", 2),
    ("Fès", "Morocco", "Africa/Casablanca", 1),
    ("Fribourg", "Switzerland", "Europe/Zurich", 1),
    ("Colmar", "France", "Europe/Paris", 1),
    ("Nantes", "France", "Europe/Paris", 1),
    ("Kassel", "Germany", "Europe/Berlin", 5),
    ("Siena", "Italy", "Europe/Rome", 9),
    ("Łódź", "Poland", "Europe/Warsaw", 10),
    ("Granada", "Spain", "Europe/Madrid", 3),
    ("Utrecht", "Netherlands", "Europe/Amsterdam", 2),
    ("Hobart", "Australia", "Australia/Hobart", 2),
    ("Halifax", "Canada", "America/Halifax", 2),
    ("Sherbrooke", "Canada", "America/Toronto", 1),
    ("Iași", "Romania", "Europe/Bucharest", 2),
    ("Bălți", "Moldova", "Europe/Chisinau", 2),
    ("Lviv", "Ukraine", "Europe/Kiev", 11),
    ("Durban", "South Africa", "Africa/Johannesburg", 2),
    ("Sharjah", "United Arab Emirates", "Asia/Dubai", 2),
    ("Jurong", "Singapore", "Asia/Singapore", 2),
    ("Esch", "Luxembourg", "Europe/Luxembourg", 1),
    ("Varna", "Bulgaria", "Europe/Sofia", 2),
    ("Thessaloniki", "Greece", "Europe/Athens", 2),
    ("Aarhus", "Denmark", "Europe/Copenhagen", 2),
    ("Uppsala", "Sweden", "Europe/Stockholm", 2),
    ("Cork", "Ireland", "Europe/Dublin", 2),
    ("Split", "Croatia", "Europe/Zagreb", 2),
    ("Maribor", "Slovenia", "Europe/Ljubljana", 2),
    ("Kaunas", "Lithuania", "Europe/Vilnius", 2),
    ("Tartu", "Estonia", "Europe/Tallinn", 2),
    ("Pécs", "Hungary", "Europe/Budapest", 2),
    ("Niš", "Serbia", "Europe/Belgrade", 2),
    ("Sfax", "Tunisia", "Africa/Tunis", 1),
    ("Oran", "Algeria", "Africa/Algiers", 1),
    ("Mérida", "Mexico", "America/Merida", 3),
    ("Rosario", "Argentina", "America/Argentina/Cordoba", 3),
    ("Arequipa", "Peru", "America/Lima", 3),
    ("Cali", "Colombia", "America/Bogota", 3),
    ("Bordeaux", "France", "Europe/Paris", 1),
    ("Tampere Lab", "Finland", "Europe/Helsinki", 2),
    ("Quito", "Ecuador", "America/Guayaquil", 3),
    ("Nablus Annex", "Palestine, State of", "Europe/Paris", 2),
    ("Da Nang", "Viet Nam", "Asia/Ho_Chi_Minh", 2),
    ("Cebu", "Philippines", "Asia/Manila", 2),
    ("Network Office", "France", "Europe/Paris", 1),
    ("Central Annex", "France", "Europe/Paris", 1),
    ("Summer Camp", "Belgium", "Europe/Brussels", 2),
    ("Code Dojo", "El Salvador", "America/El_Salvador", 3),
    ("High School Lab ", "United States", "America/Los_Angeles", 2),
    ("Ulan Bator", "Mongolia", "Asia/Ulaanbaatar", 2),
    ("Tomsk", "Russia", "Asia/Tomsk", 11),
    ("Samara", "Russia", "Europe/Samara", 11),
    ("Cluj Lab", "Romania", "Europe/Bucharest", 2),
    ("Odessa Lab", "Ukraine", "Europe/Kiev", 11),
    ("Porto Novo", "Benin", "Africa/Porto-Novo", 1),
    ("Dakar Lab", "Senegal", "Africa/Dakar", 1),
    ("Touch Lab", "South Africa", "Africa/Johannesburg", 2),
    ("Perth Pilot", "Australia", "Australia/Perth", 2),
    ("Reno Pilot", "United States", "America/Los_Angeles", 2),
    ("Laval Pilot", "Canada", "America/Toronto", 1),
    ("Metz Pilot", "France", "Europe/Paris", 1),
    ("Bari Pilot", "Italy", "Europe/Rome", 9),
    ("Test Campus", "France", "Europe/Paris", 1),
    ("Remote Campus", "France", "Europe/Paris", 1),
    ("Archive", "France", "Europe/Paris", 1),
    ("Basel Pilot", "Switzerland", "Europe/Zurich", 5),
)
_LANGUAGES = {
    1: ("Français", "fr"),
    2: ("English", "en"),
    3: ("Español", "es"),
    4: ("Português", "pt"),
    5: ("Deutsch", "de"),
    6: ("日本語", "ja"),
    7: ("한국어", "ko"),
    8: ("Türkçe", "tr"),
    9: ("Italiano", "it"),
    10: ("Polski", "pl"),
    11: ("Українська", "uk"),
    17: ("Brazilian Portuguese", "pt_br"),
}


def build(scale: Scale, random: Random) -> tuple[list[Row], dict[int, int]]:
    """Make every campus of the world.

    Returns:
        The rows, listed or not, and how many kept students each kept campus has.
    """
    total = (
        scale.kept_campuses
        + scale.inactive_campuses
        + scale.private_campuses
        + scale.empty_campuses
        + scale.unlisted_campuses
    )
    # Small worlds take the odd places for their odd campuses too.
    places = list(_PLACES[: scale.kept_campuses]) + list(_PLACES[-(total - scale.kept_campuses) :])
    ids = random.sample(range(1, total + 4), total)
    kinds = (
        ["kept"] * scale.kept_campuses
        + ["inactive"] * scale.inactive_campuses
        + ["private"] * scale.private_campuses
        + ["empty"] * scale.empty_campuses
        + ["unlisted"] * scale.unlisted_campuses
    )
    average = scale.students / scale.kept_campuses
    wishes = [int(average * 0.35 * random.paretovariate(1.1)) for _ in range(scale.kept_campuses)]
    shares = spread(scale.students, scale.kept_campuses, 3, max(scale.students // 4, 40), wishes)
    rows: list[Row] = []
    students: dict[int, int] = {}
    for position, (campus_id, kind, place) in enumerate(zip(ids, kinds, places, strict=True)):
        if kind == "kept":
            students[campus_id] = shares[position]
        rows.append(_campus(campus_id, kind, place, students.get(campus_id, 0), position, random))
    rows.sort(key=lambda row: int(row["id"]))
    return rows, students


def _campus(
    campus_id: int,
    kind: str,
    place: tuple[str, str, str, int],
    students: int,
    position: int,
    random: Random,
) -> Row:
    name, country, time_zone, language_id = place
    slug = slugify(f"{name} {country}" if name == "Santiago" else name)
    language, identifier = _LANGUAGES[language_id]
    created = at(2013) + random.randrange(10 * 365) * DAY
    updated = EPOCH_MS - random.randrange(1, 400) * DAY - random.randrange(DAY)
    domain = f"42{slug}.example"
    with_endpoint = kind == "kept" and position % 5 != 3
    users_count = {"kept": students * 2 + 40, "empty": position % 3}.get(
        kind, random.randrange(20, 4000)
    )
    return {
        "id": campus_id,
        "name": name,
        "time_zone": time_zone,
        "language": {
            "id": language_id,
            "name": language,
            "identifier": identifier,
            "created_at": iso(at(2014, 11, 2) + language_id * 16_407),
            "updated_at": iso(EPOCH_MS - language_id * DAY),
        },
        "users_count": users_count,
        "vogsphere_id": campus_id + 2 if position % 6 else None,
        "country": country,
        "address": f"{random.randrange(1, 200)}, rue du Bac à Sable",
        "zip": f"{random.randrange(100_000):05d}",
        "city": name.strip(),
        "website": f"https://{domain}",
        "facebook": f"https://facebook.com/42{slug}" if position % 3 == 0 else "",
        "twitter": f"https://twitter.com/42{slug}" if position % 4 == 0 else "",
        "active": kind not in ("inactive",) and not (kind == "unlisted" and position % 2),
        "public": kind not in ("private", "unlisted"),
        "email_extension": domain if kind != "empty" else None,
        "default_hidden_phone": position % 2 == 0,
        "endpoint": {
            "id": campus_id + 30,
            "url": f"https://endpoint.{domain}",
            "description": f"Endpoint {name.strip()}",
            "created_at": iso(created),
            "updated_at": iso(updated),
        }
        if with_endpoint
        else None,
        "_listed": kind != "unlisted",
        "_kind": kind,
        "_slug": slug,
        "_domain": domain,
        "_created_at": iso(created),
        "_updated_at": iso(updated),
    }


def nested(row: Row) -> Row:
    """Return a campus as projects and user details embed it: without its endpoint."""
    copy = {key: value for key, value in row.items() if not key.startswith("_")}
    del copy["endpoint"]
    return copy
