"""The same seed gives the same world; the network has the reference sizes."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from sandbox.api.query import Query
from sandbox.clock import Clock
from sandbox.resources.registry import registry
from sandbox.world.scale import NETWORK, SMALL, spread
from sandbox.world.world import World

from .conftest import served


def fingerprint(seed):
    found = hashlib.sha256()
    for resource in registry(World(SMALL, seed), Clock()).values():
        for row in resource.everything() if resource.everything else resource.rows(Query()):
            found.update(resource.render(row))
    return found.hexdigest()


@pytest.mark.slow
def test_the_same_seed_makes_the_same_world_and_another_one_another():
    one, again, another = map(fingerprint, (7, 7, 8))
    assert one == again != another


def test_two_servers_serve_the_same_bytes(api):
    with served() as other:
        for path in ("users", "projects_users", "cursus/21/projects", "achievements", "blocs"):
            assert other.get(path).content == api.get(path).content


@pytest.mark.parametrize(("total", "parts", "low", "high"), [(10, 3, 1, 8), (24, 3, 0, 8)])
def test_a_total_is_shared_exactly(total, parts, low, high):
    shares = spread(total, parts, low, high, [100] * parts)
    assert sum(shares) == total
    assert all(low <= share <= high for share in shares)


def test_a_total_that_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="cannot be shared"):
        spread(25, 3, 0, 8, [8, 8, 8])


@pytest.fixture(scope="module", params=["small", pytest.param("network", marks=pytest.mark.slow)])
def network(request):
    if request.param == "network":
        return request.getfixturevalue("network_server"), NETWORK
    return request.getfixturevalue("running"), SMALL


@pytest.fixture(scope="module")
def truth(network):
    """What a mirror would read, and the rules of the mirror applied to it by hand."""
    server, scale = network
    found = {
        name: server.every(name)
        for name in (
            "campus",
            "cursus",
            "cursus/21/projects",
            "achievements",
            "coalitions",
            "blocs",
        )
    }
    found["kept"] = {
        row["id"]
        for row in found["campus"]
        if row["active"] and row["public"] and row["users_count"] >= 3
    }
    found["members"] = {
        row["user_id"]
        for row in server.rows(
            "cursus_users", fields="user_id,cursus_id", **{"filter[cursus_id]": 21}
        )
    }
    found["people"] = server.rows(
        "users", fields="id,kind,alumni?,primary_campus_id", listed="true"
    )
    found["students"] = {
        row["id"]
        for row in found["people"]
        if row["kind"] == "student"
        and not row["alumni?"]
        and row["primary_campus_id"] in found["kept"]
        and row["id"] in found["members"]
    }
    return found, scale, server


def test_campuses_have_the_reference_sizes(truth):
    found, scale, _ = truth
    assert len(found["kept"]) == scale.kept_campuses
    assert any(not row["active"] for row in found["campus"])
    assert any(not row["public"] for row in found["campus"])
    assert any(row["users_count"] < 3 for row in found["campus"])
    assert any(row["endpoint"] is None for row in found["campus"])
    kept_names = Counter(row["name"] for row in found["campus"] if row["id"] in found["kept"])
    assert sorted(kept_names.values(), reverse=True)[:2] == [2, 1]


def test_cursus_have_the_reference_sizes(truth):
    found, scale, _ = truth
    assert len(found["cursus"]) == scale.cursus
    assert len({row["kind"] for row in found["cursus"]}) == 10
    assert {21, 9, 1} <= {row["id"] for row in found["cursus"]}


def test_projects_and_sessions_have_the_reference_sizes(truth):
    found, scale, server = truth
    listed, kept = {row["id"] for row in found["campus"]}, found["kept"]
    projects = found["cursus/21/projects"]
    mine = [row for row in projects if any(place["id"] in kept for place in row["campus"])]
    pairs = [(row["id"], place["id"]) for row in projects for place in row["campus"]]
    sessions = [(row, one) for row in projects for one in row["project_sessions"]]
    assert (len(projects), len(mine)) == (scale.projects, scale.kept_projects)
    assert len(pairs) == len(set(pairs)) == scale.campus_projects
    ids = {row["id"] for row in mine}
    assert sum(p in ids and c in kept for p, c in pairs) == scale.kept_campus_projects
    assert len(sessions) == len({one["id"] for _, one in sessions}) == scale.project_sessions
    assert (
        sum(row["id"] in ids and one["campus_id"] in (None, *kept) for row, one in sessions)
        == scale.kept_project_sessions
    )
    assert sum(row["slug"] is None for row in projects) == scale.null_slugs
    assert len({c for _, c in pairs} - listed) == scale.unlisted_campuses
    places = {one["campus_id"] for _, one in sessions} - {None}
    assert len(places - listed) == scale.unlisted_in_sessions
    assert server.get("projects", per_page=1).headers["X-Total"] == str(
        scale.projects + scale.other_projects
    )


def test_projects_that_everybody_knows_have_their_real_numbers_and_names(truth):
    found, _, _ = truth
    known = {row["slug"]: (row["id"], row["name"]) for row in found["cursus/21/projects"]}
    assert known["42cursus-libft"] == (1314, "Libft")
    assert known["42cursus-minishell"] == (1331, "minishell")
    assert known["ft_transcendence"] == (1337, "ft_transcendence")
    assert known["exam-rank-02"] == (1320, "Exam Rank 02")
    sessions = [(row["id"], one["project_id"]) for row in found["cursus/21/projects"]
                for one in row["project_sessions"]]  # fmt: skip
    assert all(project_id == its for project_id, its in sessions)


def test_achievements_have_the_reference_sizes_with_the_shared_name_resolved(truth):
    found, scale, server = truth
    by_name: dict[str, list[int]] = {}
    for row in found["campus"]:
        by_name.setdefault(row["name"], []).append(row["id"])
    pairs = set()
    for row in found["achievements"]:
        for name in row["campus"]:
            if len(by_name.get(name, [])) == 1:
                pairs.add((row["id"], by_name[name][0]))
    naive = set(pairs)
    for ids in by_name.values():
        if len(ids) > 1:
            for campus_id in ids:
                offered = server.every(f"campus/{campus_id}/achievements")
                pairs |= {(row["id"], campus_id) for row in offered}
    kept = {pair for pair in pairs if pair[1] in found["kept"]}
    assert len(found["achievements"]) == scale.achievements
    assert len(kept) == scale.campus_achievements > len(naive & kept)
    assert len({achievement_id for achievement_id, _ in kept}) == scale.kept_achievements
    names = {name for row in found["achievements"] for name in row["campus"]}
    assert len(names - by_name.keys()) == scale.unlisted_campuses
    assert (
        sum(row["title"] is not None for row in found["achievements"]) == scale.titled_achievements
    )
    parents = {row["parent"]["id"] for row in found["achievements"] if row["parent"]}
    assert len(parents) == scale.parent_achievements
    assert parents <= {row["id"] for row in found["achievements"]}


def test_coalitions_have_the_reference_sizes(truth):
    found, scale, _ = truth
    assert len(found["coalitions"]) == scale.coalitions
    assert len(found["blocs"]) == scale.blocs
    analysts = [row for row in found["coalitions"] if row["name"] == "Analysts"]
    assert len(analysts) == 2
    assert {row["slug"] for row in analysts} == {"analysts"}
    in_blocs = [one["id"] for row in found["blocs"] for one in row["coalitions"]]
    assert sorted(in_blocs) == sorted(row["id"] for row in found["coalitions"])


def test_students_have_the_reference_sizes_by_campus_too(truth):
    found, scale, server = truth
    query = {"filter[kind]": "student", "filter[alumni?]": "false", "per_page": 1}
    counts = [
        int(
            server.get(
                "cursus/21/users", query={**query, "filter[primary_campus_id]": campus_id}
            ).headers["X-Total"]
        )
        for campus_id in found["kept"]
    ]
    assert sum(counts) == len(found["students"]) == scale.students
    assert min(counts) > 0
    total = int(server.get("cursus/21/users", query=query).headers["X-Total"])
    assert total == scale.students + scale.elsewhere
    assert Counter(row["kind"] for row in found["people"]).keys() == {
        "student",
        "admin",
        "external",
    }


def test_memberships_have_the_reference_sizes(truth):
    found, scale, server = truth
    living = {row["id"] for row in found["coalitions"]}
    rows = server.rows("coalitions_users", fields="user_id,coalition_id")
    mine = [row for row in rows if row["user_id"] in found["students"]]
    assert sum(row["coalition_id"] in living for row in mine) == scale.coalitions_users
    lost = sum(row["coalition_id"] not in living for row in mine)
    assert lost == scale.lost_coalitions_users
    assert 0.09 < lost / len(mine) < 0.11


def test_the_big_relations_are_big_and_counted_exactly(truth):
    found, scale, server = truth
    health = server.session.get(f"{server.url}/_sandbox/health", timeout=10).json()["rows"]
    if scale is NETWORK:
        assert 1_400_000 < health["projects_users"] < 1_700_000
        assert 900_000 < health["achievements_users"] < 1_200_000
    hundred = sorted(found["students"])[:100]
    query = {"filter[user_id]": ",".join(map(str, hundred))}
    kept_projects = {row["id"] for row in found["cursus/21/projects"]}
    for name, other in (("projects_users", "project_id"), ("achievements_users", "achievement_id")):
        rows = server.every(name, **query)
        pairs = {
            (row["user"]["id"], row["project"]["id"])
            if "user" in row
            else (row["user_id"], row[other])
            for row in rows
        }
        assert len(rows) == len(pairs) > 500
        if name == "projects_users":
            assert {project_id for _, project_id in pairs} - kept_projects
