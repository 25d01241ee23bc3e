"""How big a world is: every count that the rules of the mirror must come out with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """The exact sizes of one world.

    `kept_…` is what is left after the mirror's rules; the plain name is what the API lists.
    """

    name: str
    kept_campuses: int
    inactive_campuses: int
    private_campuses: int
    empty_campuses: int
    unlisted_campuses: int
    unlisted_in_sessions: int
    cursus: int
    projects: int
    kept_projects: int
    other_projects: int
    campus_projects: int
    kept_campus_projects: int
    project_sessions: int
    kept_project_sessions: int
    null_slugs: int
    achievements: int
    kept_achievements: int
    campus_achievements: int
    titled_achievements: int
    parent_achievements: int
    coalitions: int
    blocs: int
    students: int
    elsewhere: int
    alumni: int
    staff: int
    externals: int
    piscine_only: int
    coalitions_users: int
    lost_coalitions_users: int
    projects_per_user: int
    achievements_per_user: int
    locations_per_user: int
    scale_teams_per_user: int
    events_per_campus: int
    sign_ups_per_event: int
    exams_per_campus: int


SMALL = Scale(
    name="small",
    kept_campuses=8,
    inactive_campuses=1,
    private_campuses=1,
    empty_campuses=1,
    unlisted_campuses=3,
    unlisted_in_sessions=2,
    cursus=14,
    projects=60,
    kept_projects=54,
    other_projects=30,
    campus_projects=300,
    kept_campus_projects=260,
    project_sessions=160,
    kept_project_sessions=152,
    null_slugs=0,  # a typed client reads this world; ask for one with the fault set_field
    achievements=66,
    kept_achievements=58,
    campus_achievements=130,
    titled_achievements=14,
    parent_achievements=5,
    coalitions=20,
    blocs=6,
    students=300,
    elsewhere=12,
    alumni=25,
    staff=6,
    externals=5,
    piscine_only=20,
    coalitions_users=620,
    lost_coalitions_users=69,
    projects_per_user=12,
    achievements_per_user=8,
    locations_per_user=45,
    scale_teams_per_user=16,
    events_per_campus=6,
    sign_ups_per_event=8,
    exams_per_campus=3,
)

# One real network in December 2025.
NETWORK = Scale(
    name="network",
    kept_campuses=54,
    inactive_campuses=2,
    private_campuses=2,
    empty_campuses=2,
    unlisted_campuses=20,
    unlisted_in_sessions=13,
    cursus=76,
    projects=538,
    kept_projects=519,
    other_projects=862,
    campus_projects=24_195,
    kept_campus_projects=20_937,
    project_sessions=7_287,
    kept_project_sessions=7_256,
    null_slugs=52,
    achievements=1_152,
    kept_achievements=1_042,
    campus_achievements=5_495,
    titled_achievements=266,
    parent_achievements=86,
    coalitions=350,
    blocs=104,
    students=40_335,
    elsewhere=500,
    alumni=3_000,
    staff=600,
    externals=900,
    piscine_only=1_500,
    coalitions_users=92_000,
    lost_coalitions_users=10_222,
    projects_per_user=34,
    achievements_per_user=23,
    locations_per_user=25,
    scale_teams_per_user=11,
    events_per_campus=40,
    sign_ups_per_event=25,
    exams_per_campus=12,
)

SCALES = {"small": SMALL, "network": NETWORK}


def spread(total: int, parts: int, low: int, high: int, draw: list[int]) -> list[int]:
    """Share `total` over `parts` shares of `low` to `high`, shaped by `draw`.

    Args:
        total: what the shares must add up to.
        parts: how many shares.
        low: the smallest share allowed.
        high: the largest share allowed.
        draw: wished shares, one for each part; corrected evenly until the sum is exact.

    Raises:
        ValueError: when no such sharing exists.
    """
    if not low * parts <= total <= high * parts:
        raise ValueError(f"{total} cannot be shared over {parts} parts of {low} to {high}")
    shares = [min(max(wish, low), high) for wish in draw]
    gap = total - sum(shares)
    step = 1 if gap > 0 else -1
    position = 0
    while gap:
        if low <= shares[position] + step <= high:
            shares[position] += step
            gap -= step
        position = (position + 1) % parts
    return shares
