"""Small deterministic building blocks: time, mixing, text."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(2026, 11, 15, tzinfo=UTC)
EPOCH_MS = int(EPOCH.timestamp() * 1000)
SECOND = 1000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
API_URL = "https://api.intra.42.fr/v2"
CDN_URL = "https://cdn.intra.42.fr"

_MASK = 0xFFFFFFFFFFFFFFFF
_FIRST_DAY = date(1970, 1, 1)
_MINUTES = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(24 * 60)]


def mix(salt: int, value: int) -> int:
    """Return 64 well mixed bits of (salt, value): the splitmix64 finaliser.

    It is what lets a row be computed on request instead of being kept.
    """
    bits = (salt + value * 0x9E3779B97F4A7C15) & _MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 31)


@lru_cache(maxsize=20_000)
def _day_text(day: int) -> str:
    return (_FIRST_DAY + timedelta(days=day)).isoformat()


def iso(millis: int) -> str:
    """Render milliseconds since 1970 the way the API does: `2026-11-15T00:00:00.000Z`."""
    day, rest = divmod(millis, DAY)
    minute, rest = divmod(rest, 60 * SECOND)
    return f"{_day_text(day)}T{_MINUTES[minute]}:{rest // 1000:02d}.{rest % 1000:03d}Z"


def iso_or_none(millis: int | None) -> str | None:
    """Render a timestamp that may be missing."""
    return None if millis is None else iso(millis)


@lru_cache(maxsize=50_000)
def millis(text: str) -> int:
    """Parse any timestamp the API accepts into milliseconds since 1970.

    Raises:
        ValueError: when the text is not a date.
    """
    cleaned = text.strip().removesuffix(" UTC")
    moment = datetime.fromisoformat(cleaned)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def at(year: int, month: int = 1, day: int = 1) -> int:
    """Milliseconds of a UTC midnight."""
    return int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)


@lru_cache(maxsize=20_000)
def paris_midnight(day: int) -> str:
    """Render a day as the local midnight the API uses for erasure dates (`+01:00`, `+02:00`)."""
    moment = _FIRST_DAY + timedelta(days=day)
    summer = _last_sunday(moment.year, 3) <= moment < _last_sunday(moment.year, 10)
    return f"{moment.isoformat()}T00:00:00.000{'+02:00' if summer else '+01:00'}"


def _last_sunday(year: int, month: int) -> date:
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def plain(text: str) -> str:
    """Fold text to lower-case ASCII letters: `Müller-Öz` becomes `mulleroz`."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in folded if "a" <= letter <= "z")


def slugify(text: str) -> str:
    """Fold text to a slug: `Kuala Lumpur` becomes `kuala-lumpur`."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = "".join(letter if letter.isalnum() else " " for letter in folded).split()
    return "-".join(words)
