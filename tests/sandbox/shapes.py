"""The fields of every payload, in the order and with the types of recorded answers.

`?` marks what may be null; a name after a type is the shape of a nested object or list.
"""

from __future__ import annotations

import re
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
LOCAL = re.compile(r"\d{4}-\d\d-\d\dT00:00:00\.000\+0[12]:00")

CURSUS = "id:int created_at:time name:str slug:str kind:str"
USER = (
    "id:int email:str login:str first_name:str last_name:str usual_full_name:str "
    "usual_first_name:str? url:str phone:str displayname:str kind:str image:{image} staff?:bool "
    "correction_point:int pool_month:str? pool_year:str? location:str? wallet:int "
    "anonymize_date:local? data_erasure_date:local? created_at:time updated_at:time "
    "alumnized_at:time? alumni?:bool active?:bool"
)
SESSION = (
    "id:int solo:bool? begin_at:time? end_at:time? estimate_time:str? difficulty:int? "
    "objectives:list? description:str? duration_days:int? terminating_after:int? project_id:int "
    "campus_id:int? cursus_id:int? created_at:time updated_at:time max_people:int? "
    "is_subscriptable:bool? scales:[scale] uploads:[named] team_behaviour:str commit:str? "
    "minimum_mark:int"
)
PLACE = (
    "users_count:int vogsphere_id:int? country:str address:str zip:str city:str website:str "
    "facebook:str twitter:str active:bool public:bool email_extension:str? "
    "default_hidden_phone:bool"
)
PROJECTS_USER = (
    "id:int occurrence:int final_mark:int? status:str validated?:bool? current_team_id:int? "
    "project:{short_project} cursus_ids:list marked_at:time? marked:bool retriable_at:time? "
    "created_at:time updated_at:time"
)
CURSUS_USER = (
    "id:int begin_at:time end_at:time? grade:str? level:float skills:[skill] cursus_id:int "
    "has_coalition:bool blackholed_at:time? created_at:time updated_at:time user:{user} "
    "cursus:{cursus}"
)
NINE = (
    "id:int name:str description:str tier:str kind:str visible:bool image:str? "
    "nbr_of_success:int? users_url:str"
)

TEAM = (
    "id:int name:str url:str final_mark:int? project_id:int created_at:time updated_at:time "
    "status:str terminating_at:time? users:[member] locked?:bool validated?:bool? closed?:bool "
    "repo_url:str? repo_uuid:str locked_at:time? closed_at:time? project_session_id:int "
    "project_gitlab_path:str?"
)

SHAPES = {
    "cursus": CURSUS,
    "user": USER,
    "image": "link:str? versions:{versions}",
    "versions": "large:str? medium:str? small:str? micro:str?",
    "campus": "id:int name:str time_zone:str language:{language} "
    + PLACE
    + " endpoint:{endpoint}?",
    "nested_campus": "id:int name:str time_zone:str language:{language} " + PLACE,
    "language": "id:int name:str identifier:str created_at:time updated_at:time",
    "endpoint": "id:int url:str description:str created_at:time updated_at:time",
    "project": (
        "id:int name:str slug:str? difficulty:int? parent:{reference}? children:[reference] "
        "attachments:list created_at:time updated_at:time exam:bool git_id:int? repository:str? "
        "recommendation:str cursus:[cursus] campus:[nested_campus] videos:list "
        "project_sessions:[session]"
    ),
    "reference": "name:str id:int slug:str url:str",
    "session": SESSION,
    "scale": "id:int correction_number:int is_primary:bool",
    "named": "id:int name:str",
    "achievement": NINE + " achievements:list campus:list parent:{nine}? title:{named}?",
    "nine": NINE,
    "coalition": (
        "id:int name:str slug:str image_url:str cover_url:str? color:str score:int user_id:int"
    ),
    "bloc": (
        "id:int campus_id:int cursus_id:int squad_size:int? created_at:time updated_at:time "
        "coalitions:[coalition]"
    ),
    "skill": "id:int name:str level:float",
    "cursus_user": CURSUS_USER,
    "campus_user": (
        "id:int user_id:int campus_id:int is_primary:bool created_at:time updated_at:time"
    ),
    "coalitions_user": (
        "id:int coalition_id:int user_id:int score:int rank:int created_at:time updated_at:time"
    ),
    "achievements_user": (
        "id:int achievement_id:int user_id:int login:str nbr_of_success:int? url:str "
        "created_at:time updated_at:time"
    ),
    "short_project": "id:int name:str slug:str parent_id:int?",
    "short_projects_user": PROJECTS_USER,
    "projects_user": PROJECTS_USER + " user:{user} teams:[team]",
    "team": TEAM,
    "member": (
        "id:int login:str url:str leader:bool occurrence:int validated:bool projects_user_id:int"
    ),
    "listed_team": TEAM + " scale_teams:list teams_uploads:list",
    "title": "id:int name:str",
    "titles_user": (
        "id:int user_id:int title_id:int selected:bool created_at:time updated_at:time"
    ),
    "group": "id:int name:str",
    "groups_user": "id:int user_id:int group:{named}",
    "role": "id:int name:str",
    "location": (
        "id:int begin_at:time end_at:time? primary:bool host:str campus_id:int user:{user}"
    ),
    "languages_user": "id:int language_id:int user_id:int position:int created_at:time",
    "expertises_user": (
        "id:int expertise_id:int interested:bool value:int contact_me:bool created_at:time "
        "user_id:int"
    ),
    "user_detail": (
        USER + " groups:[named] cursus_users:[cursus_user] projects_users:[short_projects_user] "
        "languages_users:[languages_user] achievements:[nine] titles:[named] "
        "titles_users:[titles_user] partnerships:list patroned:list patroning:list "
        "expertises_users:[expertises_user] roles:[named] campus:[nested_campus] "
        "campus_users:[campus_user]"
    ),
}
_TYPES = {"int": int, "str": str, "bool": bool, "list": list}


def complaints(value: Any, shape: str, where: str = "") -> list[str]:
    """Return every way a payload differs from its shape."""
    fields = [field.rpartition(":")[::2] for field in SHAPES[shape].split()]
    names = [name for name, _ in fields]
    if list(value) != names:
        return [f"{where or shape}: fields {list(value)} instead of {names}"]
    found: list[str] = []
    for name, kind in fields:
        found += _check(value[name], kind, f"{where or shape}.{name}")
    return found


def _check(value: Any, kind: str, where: str) -> list[str]:
    if value is None:
        return [] if kind.endswith("?") else [f"{where}: null"]
    kind = kind.rstrip("?")
    if kind.startswith("{"):
        return complaints(value, kind[1:-1], where)
    if kind.startswith("["):
        return [one for row in value for one in complaints(row, kind[1:-1], where)]
    if kind in ("time", "local"):
        pattern = TIME if kind == "time" else LOCAL
        return [] if pattern.fullmatch(value) else [f"{where}: {value!r} is not a {kind}"]
    if kind == "float":
        return [] if type(value) in (int, float) else [f"{where}: {value!r} is not a number"]
    return [] if type(value) is _TYPES[kind] else [f"{where}: {value!r} is not {kind}"]
