"""The resources of the API over one world."""

from __future__ import annotations

from ..clock import Clock
from ..world import World
from . import catalogue, extras, people, relations, teams
from .base import Resource

__all__ = ["Resource", "registry"]


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
        extras.locations(world),
        extras.scale_teams(world, clock),
        teams.teams(world),
    )
    return {resource.name: resource for resource in found}
