"""The resources of the API over one world."""

from __future__ import annotations

from sandbox.clock import Clock
from sandbox.resources import agenda, catalogue, days, extras, people, relations, scale_teams, teams
from sandbox.resources.base import Resource
from sandbox.world.world import World


def registry(world: World, clock: Clock) -> dict[str, Resource]:
    """Build every resource of a world, by name."""
    found = (
        catalogue.campus(world),
        catalogue.cursus(world),
        catalogue.projects(world),
        catalogue.project_sessions(world, clock),
        catalogue.achievements(world),
        catalogue.coalitions(world, people.user_finder(world)),
        catalogue.blocs(world),
        people.users(world),
        people.cursus_users(world, clock),
        people.campus_users(world),
        relations.projects_users(world, clock),
        relations.achievements_users(world),
        relations.coalitions_users(world),
        extras.titles(world),
        extras.titles_users(world),
        extras.groups(world),
        extras.groups_users(world),
        extras.roles(world),
        days.locations(world, clock),
        days.quests_users(world, clock),
        scale_teams.scale_teams(world, clock),
        agenda.events(world, clock),
        agenda.events_users(world),
        agenda.exams(world, clock),
        teams.teams(world),
        teams.teams_users(world),
    )
    return {resource.name: resource for resource in found}
