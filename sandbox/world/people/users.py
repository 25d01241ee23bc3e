"""Users and the rows that say where they study: campus_users and cursus_users."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from sandbox.world.people.names import Logins, Pool
from sandbox.world.scale import Scale
from sandbox.world.values import DAY, EPOCH_MS, HOUR, at

Row = dict[str, Any]

ANCHOR = 21
PISCINE = 9
_MONTHS = ("february", "march", "june", "july", "august", "september", "october")
_GRADES = ("Cadet", "Cadet", "Cadet", "Transcender", "Learner", "Member", "Pisciner", None)


@dataclass(slots=True)
class User:
    """One account. `campus_id` is the primary campus; times are milliseconds since 1970."""

    id: int
    login: str
    email: str
    first_name: str
    last_name: str
    usual_first_name: str | None
    kind: str
    pictured: bool
    staff: bool
    correction_point: int
    pool_month: str | None
    pool_year: str | None
    location: str | None
    wallet: int
    anonymize_day: int | None
    erasure_day: int | None
    created_at: int
    updated_at: int
    alumnized_at: int | None
    alumni: bool
    active: bool
    campus_id: int | None
    begin_at: int
    last_seen: int
    cursus: tuple[int, ...]
    listed: bool = True
    index: int = -1
    json: bytes | None = None

    def touch(self, stamp: int) -> None:
        """Note a change: updated_at moves and the rendered form is out of date."""
        self.updated_at = stamp
        self.json = None


@dataclass(slots=True)
class CursusUser:
    """One person in one cursus."""

    id: int
    user_id: int
    cursus_id: int
    begin_at: int
    end_at: int | None
    grade: str | None
    level: float
    has_coalition: bool
    blackholed_at: int | None
    created_at: int
    updated_at: int


@dataclass(slots=True)
class CampusUser:
    """One person at one campus."""

    id: int
    user_id: int
    campus_id: int
    is_primary: bool
    created_at: int
    updated_at: int


class People:
    """Makes the people of a world, oldest account first."""

    def __init__(
        self,
        scale: Scale,
        campuses: list[Row],
        students: dict[int, int],
        cursus: list[Row],
        names: list[Pool],
        random: Random,
    ) -> None:
        self._scale = scale
        self._campuses = {row["id"]: row for row in campuses}
        self._students = students
        self._others = [row["id"] for row in cursus if row["id"] not in (ANCHOR, PISCINE)]
        self._names = names
        self._random = random
        self._logins = Logins()

    def build(self) -> list[User]:
        """Return every account with its id and index set."""
        scale, random = self._scale, self._random
        kept = list(self._students)
        odd = [key for key, row in self._campuses.items() if row["_kind"] != "kept"]
        users = [
            self.person(campus_id, random)
            for campus_id, count in self._students.items()
            for _ in range(count)
        ]
        self._edge_cases(users)
        users += [self.person(random.choice(odd), random) for _ in range(scale.elsewhere)]
        for _ in range(scale.alumni):
            user = self.person(random.choice(kept), random)
            user.alumni = True
            user.alumnized_at = min(user.begin_at + 700 * DAY, EPOCH_MS - 3 * DAY)
            users.append(user)
        for _ in range(scale.staff):
            user = self.person(random.choice(kept), random)
            user.kind, user.staff, user.pool_month, user.pool_year = "admin", True, None, None
            users.append(user)
        for _ in range(scale.externals):
            user = self.person(random.choice(kept), random)
            user.kind = "external"
            users.append(user)
        for n in range(scale.piscine_only):
            user = self.person(random.choice(kept) if n % 40 else None, random)
            user.cursus = (PISCINE,)
            users.append(user)
        users.sort(key=lambda user: user.created_at)
        next_id = 20_000
        for index, user in enumerate(users):
            next_id += 1 + random.randrange(4)
            user.id, user.index = next_id, index
        return users

    def person(self, campus_id: int | None, random: Random) -> User:
        """Make one student of the anchor cursus, without an id yet."""
        pool = self._names[random.randrange(len(self._names))]
        first, last = random.choice(pool.first), random.choice(pool.last)
        login = self._logins.take(first, last, random)
        domain = "42network.example"
        if campus_id is not None:
            domain = self._campuses[campus_id]["_domain"]
        year = random.randrange(2016, 2027)
        created = at(year) + random.randrange(300 * DAY)
        begin = min(created + random.randrange(30, 120) * DAY, EPOCH_MS - 5 * DAY)
        # A tenth of the accounts moved in the last days, the others long ago.
        idle = int(random.expovariate(1 / (60 * DAY))) if random.random() < 0.9 else 0
        updated = max(EPOCH_MS - HOUR - idle - random.randrange(3 * DAY), created)
        day = EPOCH_MS // DAY + random.randrange(30, 1400)
        chance = random.random()
        return User(
            id=0,
            login=login,
            email=f"{login}@student.{domain}",
            first_name=first,
            last_name=last,
            usual_first_name=first.split("-")[0] if chance < 0.05 else None,
            kind="student",
            pictured=random.random() > 0.027,
            staff=False,
            correction_point=random.randrange(-4, 15),
            pool_month=random.choice(_MONTHS) if chance > 0.03 else None,
            pool_year=str(year) if chance > 0.03 else None,
            location=f"c{random.randrange(1, 4)}r{random.randrange(1, 9)}s{random.randrange(1, 9)}"
            if chance > 0.94
            else None,
            wallet=random.randrange(0, 1200),
            anonymize_day=day if chance < 0.99 else None,
            erasure_day=day if chance < 0.99 else None,
            created_at=created,
            updated_at=updated,
            alumnized_at=None,
            alumni=False,
            active=random.random() < 0.9,
            campus_id=campus_id,
            begin_at=begin,
            last_seen=max(updated, begin + DAY),
            cursus=(PISCINE, ANCHOR) if chance < 0.85 else (ANCHOR,),
        )

    def _edge_cases(self, users: list[User]) -> None:
        """Put the values that break naive readers on the first students."""
        rich, poor, poolless, empty, unicode_name, faceless, quoted, grumpy = users[:8]
        rich.wallet = 827_942_872
        poor.wallet, poor.correction_point = -19_100, -6_497
        poolless.pool_month = poolless.pool_year = None
        empty.last_name = ""
        unicode_name.first_name, unicode_name.last_name = "Zoë 🦆 ‎", "O’Brien‐Ångström"
        faceless.pictured = False
        quoted.first_name = 'Anne "Ninie" \\ \'N'
        quoted.last_name = "Tab\tNew\nLine, Comma;"
        grumpy.anonymize_day = grumpy.erasure_day = None
        grumpy.usual_first_name = ""
        if self._others:
            empty.cursus = (*empty.cursus, self._others[0])


def cursus_user(row_id: int, user: User, cursus_id: int, random: Random) -> CursusUser:
    """Make the membership of a person in a cursus."""
    begin = user.begin_at if cursus_id != PISCINE else user.created_at
    chance = random.random()
    level = random.randrange(0, 12) + random.randrange(100) * 0.01
    hole = None
    if cursus_id == ANCHOR and chance < 0.8:
        hole = at(2019) + random.randrange(11 * 365) * DAY + 23 * HOUR
    over = cursus_id != ANCHOR or chance < 0.1
    end = min(begin + 26 * DAY + int(chance * 300) * DAY, EPOCH_MS - DAY) if over else None
    return CursusUser(
        id=row_id,
        user_id=user.id,
        cursus_id=cursus_id,
        begin_at=begin,
        end_at=end,
        grade=_GRADES[random.randrange(len(_GRADES))],
        level=level,
        has_coalition=chance < 0.95,
        blackholed_at=hole,
        created_at=begin - random.randrange(4 * DAY),
        updated_at=max(begin, user.updated_at - random.randrange(40 * DAY)),
    )
