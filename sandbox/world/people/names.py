"""Pools of invented names, taken once from Faker's word lists.

Calling Faker for each person would take minutes for forty thousand of them, so only its
providers' lists are read; a seeded generator combines them.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from random import Random

from sandbox.world.values import plain

_LOCALES = (
    "fr_FR",
    "en_US",
    "de_DE",
    "es_ES",
    "pt_BR",
    "it_IT",
    "fi_FI",
    "cs_CZ",
    "ja_JP",
    "ko_KR",
    "ar_SA",
    "hy_AM",
)
_SYLLABLES = ("ka", "ri", "to", "na", "mi", "shi", "yu", "ha", "so", "len", "ara", "nor", "vi")


@dataclass(frozen=True)
class Pool:
    """First and last names of one language."""

    first: tuple[str, ...]
    last: tuple[str, ...]


def pools() -> list[Pool]:
    """Read the word lists of a dozen languages."""
    found = []
    for locale in _LOCALES:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        found.append(Pool(tuple(provider.first_names)[:400], tuple(provider.last_names)[:400]))
    return found


class Logins:
    """Hands out unique logins made of a first letter and the start of a last name."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, first: str, last: str, random: Random) -> str:
        """Return a login nobody has yet."""
        family = plain(last) or "".join(random.choice(_SYLLABLES) for _ in range(3))
        given = plain(first) or random.choice(_SYLLABLES)
        wish = (given[:1] + family)[:8]
        login, number = wish, 1
        while login in self._taken:
            number += 1
            suffix = str(number)
            login = wish[: 8 - len(suffix)] + suffix if number < 100 else f"{wish}{suffix}"
        self._taken.add(login)
        return login
