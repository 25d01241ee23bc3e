"""The fields of every payload, as recorded answers have them or as public clients require them.

`RECORDED` has every field, in order: more than the clients below ask of the same payloads. Of the
others, `REQUIRED` has what the strict schemas of 42Statistics/42Stat-Lambda
(app/src/*/api/*.schema.ts, which run against the live API) and 42-Lyon/42api-zod-schemas
(src/resources) name; more may come. Where the two disagree, here is what the more lenient one
takes: both have parsed real answers.

`?` marks what may be null, `{name}` an object, `[name]` a list of objects, `|` alternatives.
"""

from __future__ import annotations

import re
from typing import Any

PATTERNS = {
    "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    "local": re.compile(r"\d{4}-\d\d-\d\dT00:00:00\.000\+0[12]:00"),
}
WORDS = {
    "team_status": {"creating_group", "in_progress", "waiting_for_correction", "finished"},
    "project_status": {"creating_group", "finished", "in_progress", "parent",
                       "searching_a_group", "waiting_for_correction"},
    "tier": {"none", "easy", "medium", "hard", "challenge"},
    "achievement_kind": {"project", "social", "pedagogy", "scolarity"},
}  # fmt: skip
TYPES = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,), "list": (list,)}

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
    "id:int occurrence:int final_mark:int? status:project_status validated?:bool? "
    "current_team_id:int? project:{short_project} cursus_ids:list marked_at:time? marked:bool "
    "retriable_at:time? created_at:time updated_at:time"
)
CURSUS_USER = (
    "id:int begin_at:time end_at:time? grade:str? level:float skills:[skill] cursus_id:int "
    "has_coalition:bool blackholed_at:time? created_at:time updated_at:time user:{user} "
    "cursus:{cursus}"
)
NINE = (
    "id:int name:str description:str tier:tier kind:achievement_kind visible:bool image:str? "
    "nbr_of_success:int? users_url:str"
)

TEAM = (
    "id:int name:str url:str final_mark:int? project_id:int created_at:time updated_at:time "
    "status:team_status terminating_at:time? users:[member] locked?:bool validated?:bool? "
    "closed?:bool repo_url:str? repo_uuid:str locked_at:time? closed_at:time? "
    "project_session_id:int project_gitlab_path:str?"
)

RECORDED = {
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
    "listed_team": TEAM + " scale_teams:[evaluation] teams_uploads:[upload]",
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

EVALUATION = (
    "id:int scale_id:int comment:str? created_at:time updated_at:time feedback:str? "
    "final_mark:int? flag:{flag} begin_at:time correcteds:[person]|str "
    "corrector:{person}|str|{nobody} truant:{person}|{nobody} filled_at:time? "
    "questions_with_answers:list"
)
PROJECT = "id:int name:str slug:str difficulty:int? created_at:time updated_at:time exam:bool"
REQUIRED = {
    # objects that are nested
    "person": "id:int login:str url:str",
    "nobody": "",
    "flag": "id:int name:str positive:bool icon:str? created_at:time updated_at:time",
    "scale_of_evaluation": (
        "id:int evaluation_id:int name:str is_primary:bool comment:str introduction_md:str "
        "disclaimer_md:str guidelines_md:str created_at:time correction_number:int duration:int "
        "manual_subscription:bool languages:[language] flags:[flag] free:bool?"
    ),
    "feedback": (
        "id:int user:{person}? feedbackable_type:str feedbackable_id:int comment:str rating:int? "
        "created_at:time"
    ),
    "evaluation": EVALUATION,
    "upload": "id:int final_mark:int comment:str created_at:time upload_id:int",
    "nested_project": PROJECT,
    "kind": "id:int kind:str",
    "quest": (
        "id:int name:str slug:str kind:str internal_name:str? description:str cursus_id:int "
        "campus_id:int? created_at:time updated_at:time grade_id:int? position:int"
    ),
    # rows of listings
    "event": (
        "id:int name:str description:str location:str kind:str max_people:int? begin_at:time "
        "end_at:time campus_ids:list cursus_ids:list created_at:time updated_at:time"
    ),
    "events_user": "id:int event_id:int user_id:int user:{user} event:{event}",
    "exam": (
        "id:int ip_range:str begin_at:time end_at:time location:str max_people:int? "
        "nbr_subscribers:int name:str created_at:time updated_at:time campus:{nested_campus} "
        "cursus:[cursus] projects:[nested_project]"
    ),
    "project_session": (
        SESSION + " project:{nested_project} campus:{nested_campus}? cursus:{cursus}? "
        "evaluations:[kind] project_sessions_rules:list"
    ),
    "quests_user": (
        "id:int end_at:time? quest_id:int validated_at:time? prct:float? advancement:str? "
        "created_at:time updated_at:time user:{user} quest:{quest}"
    ),
    "scale_team": EVALUATION + " scale:{scale_of_evaluation} team:{team} feedbacks:[feedback]",
    "teams_user": (
        "id:int team_id:int user_id:int created_at:time validated:bool leader:bool "
        "occurrence:int team:{team} user:{user}"
    ),
}


def complaints(value: Any, shape: str, where: str = "") -> list[str]:
    """Return every way a payload differs from its shape."""
    where = where or shape
    if not isinstance(value, dict):
        return [f"{where} is {value!r}"]
    text = RECORDED[shape] if shape in RECORDED else REQUIRED[shape]
    fields = dict(field.rpartition(":")[::2] for field in text.split())
    if shape in RECORDED and list(value) != list(fields):
        return [f"{where}: fields {list(value)} instead of {list(fields)}"]
    found = [f"{where}.{name} is missing" for name in fields if name not in value]
    for name, kind in fields.items():
        if name in value and not (value[name] is None and kind.endswith("?")):
            kinds = kind.rstrip("?").split("|")
            tries = [_check(value[name], one, f"{where}.{name}") for one in kinds]
            found += [] if [] in tries else tries[0]
    return found


def _check(value: Any, kind: str, where: str) -> list[str]:
    if kind.startswith("{"):
        return complaints(value, kind[1:-1], where)
    if kind.startswith("[") and isinstance(value, list):
        return [one for row in value for one in complaints(row, kind[1:-1], where)]
    if kind in PATTERNS:
        fits = isinstance(value, str) and PATTERNS[kind].fullmatch(value) is not None
    elif kind in WORDS:
        fits = value in WORDS[kind]
    else:
        fits = type(value) in TYPES.get(kind, ())
    return [] if fits else [f"{where} is {value!r}, not {kind}"]
