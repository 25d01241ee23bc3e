"""Cursus, projects and project sessions."""

from __future__ import annotations

from random import Random
from typing import Any

from sandbox.world.reference import curriculum
from sandbox.world.relations.teams import team_size
from sandbox.world.scale import Scale, spread
from sandbox.world.values import DAY, EPOCH_MS, HOUR, at, iso, slugify

Row = dict[str, Any]

KINDS = (
    "main",
    "main_deprecated",
    "piscine",
    "piscine_deprecated",
    "piscine_community",
    "test",
    "external",
    "external_deprecated",
    "professional_training",
    "professional_training_deprecated",
)
_VERBS = ("Build", "Mend", "Trace", "Pack", "Draw", "Tame", "Weave", "Crack", "Serve", "Sort")
_THINGS = (
    "Bridge", "Compiler", "Garden", "Kernel", "Lantern", "Maze", "Orchard", "Parser", "Queue",
    "Ray", "Shell", "Tower", "Volcano", "Web", "Yard", "Zeppelin", "Allocator", "Beacon",
    "Cluster", "Dungeon", "Échiquier", "Forge", "Graph", "Harbour",
)  # fmt: skip
_LEVELS = ("", "00", "01", "02", "03", "Advanced", "- Peer video", "Rush", "Internship")


def build_cursus(scale: Scale, random: Random) -> list[Row]:
    """Make the cursus: 21 the anchor, 9 the piscine, 1 the old one, all ten kinds."""
    rows = [
        _cursus(21, "42cursus", "main", at(2019, 7, 29)),
        _cursus(9, "C Piscine", "piscine", at(2015, 11, 4)),
        _cursus(1, "42", "main_deprecated", at(2014, 11, 2)),
    ]
    numbers = [n for n in range(3, scale.cursus + 12) if n not in (9, 21)]
    for position, cursus_id in enumerate(random.sample(numbers, scale.cursus - len(rows))):
        thing = _THINGS[position % len(_THINGS)]
        kind = KINDS[position % len(KINDS)]
        name = f"{thing} {kind.split('_')[0].title()} {cursus_id}"
        rows.append(_cursus(cursus_id, name, kind, at(2015) + random.randrange(3000) * DAY))
    return sorted(rows, key=lambda row: int(row["id"]))


def _cursus(cursus_id: int, name: str, kind: str, created: int) -> Row:
    return {
        "id": cursus_id,
        "created_at": iso(created),
        "name": name,
        "slug": slugify(name),
        "kind": kind,
        "_updated_at": iso(created + 30 * DAY),
        "_restricted": False,
        "_is_subscriptable": kind == "main",
    }


class ProjectBuilder:
    """Makes projects whose campus pairs and sessions add up to the scale's numbers."""

    def __init__(
        self, scale: Scale, campuses: list[Row], cursus: list[Row], random: Random
    ) -> None:
        self._scale = scale
        self._random = random
        self._kept = [row["id"] for row in campuses if row["_kind"] == "kept"]
        self._odd = [row["id"] for row in campuses if row["_kind"] != "kept"]
        self._unlisted = [row["id"] for row in campuses if row["_kind"] == "unlisted"]
        self._in_sessions = self._unlisted[: scale.unlisted_in_sessions]
        self._cursus = {row["id"]: row for row in cursus}
        self._session_id = 900
        self._names: set[str] = set()

    def build(self) -> list[Row]:
        """Return every project, the anchor cursus' first ones in random id order."""
        scale, random = self._scale, self._random
        total = scale.projects + scale.other_projects
        ids = random.sample([n for n in range(1, total * 2) if n not in curriculum.IDS], total)
        campus_lists = self._campus_lists()
        sessions = self._session_campuses()
        rows = [
            self._project(ids[n], 21, campus_lists[n], sessions[n]) for n in range(scale.projects)
        ]
        others = [key for key in self._cursus if key != 21]
        for n in range(scale.projects, total):
            # Every third one is a piscine project; a few belong to no cursus at all.
            home = 9 if n % 3 == 0 else random.choice(others) if n % 17 else None
            campuses = random.sample(self._kept + self._odd, random.randrange(1, 6))
            row = self._project(ids[n], home, campuses, [None] * random.randrange(1, 3))
            rows.append(row)
        for row, known in zip(rows, (*curriculum.CORE, *curriculum.FURTHER), strict=False):
            _become(row, known)
        rows[-1]["_hidden"] = True  # listed, but 403 when asked for by id
        self._family(rows)
        for row in random.sample(
            [
                row
                for row in rows[: scale.projects]
                if row["parent"] is None and not row["children"] and not row["_known"]
            ],
            scale.null_slugs,
        ):
            row["slug"] = None
            row["_position"] += 100_000  # unpopular projects come last
        return sorted(rows, key=lambda row: int(row["id"]))

    def _campus_lists(self) -> list[list[int]]:
        scale, random = self._scale, self._random
        few, many = scale.kept_projects, len(self._kept)
        wishes = [
            many if random.random() < 0.7 else random.randrange(1, many + 1) for _ in range(few)
        ]
        kept = spread(scale.kept_campus_projects, few, 1, many, wishes)
        others = scale.campus_projects - scale.kept_campus_projects
        average = others // scale.projects
        odd_wishes = [random.randrange(0, 2 * average + 1) for _ in range(scale.projects)]
        # One project that is offered nowhere at all, the others of its kind at closed places only.
        odd_wishes[-1] = 0
        odd = [*spread(others, scale.projects - 1, 0, len(self._odd), odd_wishes[:-1]), 0]
        lists = []
        for n in range(scale.projects):
            mine = random.sample(self._kept, kept[n]) if n < few else []
            mine += random.sample(self._odd, odd[n])
            lists.append(sorted(mine))
        self._cover_unlisted(lists)
        return lists

    def _cover_unlisted(self, lists: list[list[int]]) -> None:
        """Make sure that every unlisted campus is met in some project, without changing sums."""
        met = {campus_id for campuses in lists for campus_id in campuses}
        for campus_id in self._unlisted:
            if campus_id in met:
                continue
            for campuses in lists:
                spare = [c for c in campuses if c in self._odd and c not in self._unlisted]
                if spare:
                    campuses.remove(spare[0])
                    campuses.append(campus_id)
                    break

    def _session_campuses(self) -> list[list[int | None]]:
        """Return the campus of each session of each project (None: the default of all)."""
        scale, random = self._scale, self._random
        lost_projects = scale.projects - scale.kept_projects
        astray = scale.project_sessions - scale.kept_project_sessions - lost_projects
        wishes = [int(random.paretovariate(0.9)) for _ in range(scale.kept_projects)]
        counts = spread(scale.kept_project_sessions, scale.kept_projects, 1, 59, wishes)
        sessions: list[list[int | None]] = []
        for count in counts:
            mine: list[int | None] = [None]
            mine += [random.choice(self._kept) for _ in range(count - 1)]
            sessions.append(mine)
        sessions += [[None] for _ in range(lost_projects)]
        for n in range(astray):
            sessions[n * 3].append(self._in_sessions[n % len(self._in_sessions)])
        # The projects that nobody keeps name the closed campuses that are still missing.
        missing: list[int | None] = list(self._in_sessions[astray:])
        for n, campus_id in enumerate(missing):
            sessions[scale.kept_projects + n] = [campus_id]
        return sessions

    def _project(
        self, project_id: int, home: int | None, campuses: list[int], sessions: list[int | None]
    ) -> Row:
        random = self._random
        name = self._name()
        created = at(2015) + random.randrange(10 * 365 * DAY)
        updated = created + random.randrange(EPOCH_MS - 2 * DAY - created)
        cursus = [] if home is None else [home]
        if home is not None and random.random() < 0.15:
            cursus += random.sample([key for key in self._cursus if key not in (21, home)], 2)
        exam = "exam" in name.lower()
        row: Row = {
            "id": project_id,
            "name": name,
            "slug": slugify(name) if home != 21 else f"42cursus-{slugify(name)}",
            "difficulty": random.choice([None, 0, 500, 10_000, 42_000, 180_000]),
            "parent": None,
            "children": [],
            "attachments": [],
            "created_at": iso(created),
            "updated_at": iso(updated),
            "exam": exam,
            "git_id": random.randrange(1, 9000) if random.random() < 0.3 else None,
            "repository": None,
            "recommendation": random.choice(["forbidden", "recommended", "optional"]),
            "cursus": cursus,
            "campus": campuses,
            "videos": [],
            "project_sessions": [],
            "_position": random.randrange(1, 400),
            "_core": False,
            "_known": False,
            "_team_size": team_size(project_id),
            "_hidden": False,
        }
        row["project_sessions"] = [
            self._session(row, campus_id, home, created) for campus_id in sessions
        ]
        return row

    def _name(self) -> str:
        random = self._random
        while True:
            parts = (random.choice(_VERBS), random.choice(_THINGS), random.choice(_LEVELS))
            name = " ".join(part for part in parts if part)
            if random.random() < 0.05:
                name = f"Exam {name}"
            if name in self._names:
                name = f"{name} {random.randrange(2, 99)}"
            if name not in self._names:
                self._names.add(name)
                return name

    def _session(self, project: Row, campus_id: int | None, home: int | None, created: int) -> Row:
        random = self._random
        self._session_id += random.randrange(1, 3)
        born = created + random.randrange(30 * DAY)
        dated = campus_id is not None and random.random() < 0.3
        rich = random.random() < 0.6
        return {
            "id": self._session_id,
            "solo": random.random() < 0.6,
            "begin_at": iso(born + 10 * DAY) if dated else None,
            "end_at": iso(born + 40 * DAY + 9 * HOUR) if dated else None,
            "estimate_time": random.choice(["1 hour", "1 day", "7 days", "0 days"]),
            "difficulty": random.choice([None, 0, 0, 1000]),
            "objectives": ["Think", "Échapper!"] if rich else [],
            "description": "To be done" if rich else "",
            "duration_days": random.choice([None, 1, 14]),
            "terminating_after": random.choice([None, None, 90]),
            "project_id": project["id"],
            "campus_id": campus_id,
            "cursus_id": None if campus_id is None else home,
            "created_at": iso(born),
            "updated_at": iso(min(born + random.randrange(400 * DAY), EPOCH_MS - DAY)),
            "max_people": random.choice([None, None, 200]),
            "is_subscriptable": random.random() < 0.8,
            "scales": [{"id": self._session_id * 2 + 1, "correction_number": 3, "is_primary": True}]
            if rich
            else [],
            "uploads": [{"id": self._session_id % 1500 + 1, "name": "Moulinette"}]
            if random.random() < 0.2
            else [],
            "team_behaviour": random.choice(["user", "upload", "group"]),
            "commit": None,
            "minimum_mark": 50,
        }

    def _family(self, rows: list[Row]) -> None:
        """Give one project in five a parent; some parents are not in the anchor's list."""
        scale, random = self._scale, self._random
        first = len(curriculum.IDS)
        for n in range(scale.projects // 5):
            child = rows[first + n * 3 % (scale.projects - first)]
            if child["parent"] is not None or child["children"] or child["_known"]:
                continue
            outside = n % 4 == 0
            pool = rows[scale.projects :] if outside else rows[: scale.kept_projects]
            parent = random.choice(pool)
            if parent is child or parent["parent"] is not None:
                continue
            child["parent"] = _reference(parent)
            parent["children"].append(_reference(child))


def _become(row: Row, known: curriculum.Known) -> None:
    """Make a project one that everybody knows; first in the lists, as the real ones are."""
    row.update(id=known.id, name=known.name, slug=known.slug, exam=known.name.startswith("Exam"))
    row["_known"], row["_team_size"] = True, known.team
    row["_core"] = known in curriculum.CORE
    row["_position"] = -100 + (*curriculum.CORE, *curriculum.FURTHER).index(known)
    for session in row["project_sessions"]:
        session["project_id"] = known.id
        session["solo"] = known.team == 1


def _reference(row: Row) -> Row:
    return {
        "name": row["name"],
        "id": row["id"],
        "slug": row["slug"],
        "url": f"https://projects.intra.42.fr/{row['slug']}/mine",
    }
