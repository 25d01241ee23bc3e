"""Which address is which resource."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Lists: template and resource. A `:parent_id` in the template is the plain parameter of the same
# name, so that /users/:user_id/x is /x?user_id=:user_id.
LISTS = (
    ("/v2/campus", "campus"),
    ("/v2/campus/:campus_id/users", "users"),
    ("/v2/campus/:campus_id/achievements", "achievements"),
    ("/v2/campus/:campus_id/locations", "locations"),
    ("/v2/cursus", "cursus"),
    ("/v2/cursus/:cursus_id/users", "users"),
    ("/v2/cursus/:cursus_id/cursus_users", "cursus_users"),
    ("/v2/cursus/:cursus_id/projects", "projects"),
    ("/v2/cursus/:cursus_id/achievements", "achievements"),
    ("/v2/projects", "projects"),
    ("/v2/projects/:project_id/users", "users"),
    ("/v2/projects/:project_id/projects_users", "projects_users"),
    ("/v2/projects/:project_id/project_sessions", "project_sessions"),
    ("/v2/projects/:project_id/scale_teams", "scale_teams"),
    ("/v2/project_sessions", "project_sessions"),
    ("/v2/achievements", "achievements"),
    ("/v2/achievements/:achievement_id/users", "users"),
    ("/v2/achievements/:achievement_id/achievements_users", "achievements_users"),
    ("/v2/achievements_users", "achievements_users"),
    ("/v2/coalitions", "coalitions"),
    ("/v2/coalitions/:coalition_id/users", "users"),
    ("/v2/coalitions/:coalition_id/coalitions_users", "coalitions_users"),
    ("/v2/coalitions_users", "coalitions_users"),
    ("/v2/blocs", "blocs"),
    ("/v2/blocs/:bloc_id/coalitions", "coalitions"),
    ("/v2/users", "users"),
    ("/v2/users/:user_id/cursus_users", "cursus_users"),
    ("/v2/users/:user_id/campus_users", "campus_users"),
    ("/v2/users/:user_id/projects_users", "projects_users"),
    ("/v2/users/:user_id/coalitions", "coalitions"),
    ("/v2/users/:user_id/coalitions_users", "coalitions_users"),
    ("/v2/users/:user_id/titles_users", "titles_users"),
    ("/v2/users/:user_id/groups", "groups"),
    ("/v2/users/:user_id/groups_users", "groups_users"),
    ("/v2/users/:user_id/locations", "locations"),
    ("/v2/users/:user_id/scale_teams", "scale_teams"),
    ("/v2/cursus_users", "cursus_users"),
    ("/v2/campus_users", "campus_users"),
    ("/v2/projects_users", "projects_users"),
    ("/v2/titles", "titles"),
    ("/v2/titles/:title_id/users", "users"),
    ("/v2/titles/:title_id/achievements", "achievements"),
    ("/v2/titles/:title_id/titles_users", "titles_users"),
    ("/v2/titles_users", "titles_users"),
    ("/v2/groups", "groups"),
    ("/v2/groups/:group_id/users", "users"),
    ("/v2/groups/:group_id/groups_users", "groups_users"),
    ("/v2/groups_users", "groups_users"),
    ("/v2/roles", "roles"),
    ("/v2/locations", "locations"),
    ("/v2/scale_teams", "scale_teams"),
    ("/v2/users/:user_id/scale_teams/as_corrected", "scale_teams"),
    ("/v2/users/:corrector_id/scale_teams/as_corrector", "scale_teams"),
    ("/v2/quests_users", "quests_users"),
    ("/v2/quests/:quest_id/quests_users", "quests_users"),
    ("/v2/users/:user_id/quests_users", "quests_users"),
    ("/v2/events", "events"),
    ("/v2/campus/:campus_id/events", "events"),
    ("/v2/cursus/:cursus_id/events", "events"),
    ("/v2/campus/:campus_id/cursus/:cursus_id/events", "events"),
    ("/v2/users/:user_id/events", "events"),
    ("/v2/events_users", "events_users"),
    ("/v2/events/:event_id/events_users", "events_users"),
    ("/v2/users/:user_id/events_users", "events_users"),
    ("/v2/exams", "exams"),
    ("/v2/campus/:campus_id/exams", "exams"),
    ("/v2/cursus/:cursus_id/exams", "exams"),
    ("/v2/teams_users", "teams_users"),
    ("/v2/teams/:team_id/teams_users", "teams_users"),
    ("/v2/teams", "teams"),
    ("/v2/cursus/:cursus_id/teams", "teams"),
    ("/v2/projects/:project_id/teams", "teams"),
    ("/v2/users/:user_id/teams", "teams"),
    ("/v2/users/:user_id/projects/:project_id/teams", "teams"),
)
_SHOWN = ("achievements", "achievements_users", "blocs", "campus", "campus_users", "coalitions",
          "coalitions_users", "cursus", "cursus_users", "events", "events_users", "exams",
          "groups", "project_sessions", "projects", "projects_users", "quests_users", "roles",
          "scale_teams", "teams", "teams_users", "titles", "titles_users", "users")  # fmt: skip
# Routes that need a role the application does not have.
DENIED = ("/v2/levels", "/v2/slots", "/v2/scales", "/v2/evaluations", "/v2/closes", "/v2/quests",
          "/v2/exams_users")  # fmt: skip
SHOW = "show"
LIST = "list"
DENY = "deny"


@dataclass(frozen=True)
class Match:
    """A recognised address."""

    template: str
    kind: str
    resource: str
    params: dict[str, str]


def _table() -> list[tuple[re.Pattern[str], str, str, str]]:
    rows = [(template, LIST, resource) for template, resource in LISTS]
    rows += [(f"/v2/{name}/:id", SHOW, name) for name in _SHOWN]
    rows += [(template, DENY, "") for template in DENIED]
    return [(compile_template(template), template, kind, name) for template, kind, name in rows]


def compile_template(template: str) -> re.Pattern[str]:
    """Turn `/v2/cursus/:cursus_id/users` into a pattern; ids, logins and slugs all match."""
    return re.compile(re.sub(r":(\w+)", r"(?P<\1>[^/]+)", template) + r"/?$")


_ROUTES = _table()


def match(path: str) -> Match | None:
    """Find the route of a path."""
    for pattern, template, kind, resource in _ROUTES:
        found = pattern.match(path)
        if found:
            return Match(template, kind, resource, found.groupdict())
    return None
