"""Payloads as two public clients of the real API require them, as data.

`S42` are the strict schemas of 42Statistics/42Stat-Lambda (app/src/*/api/*.schema.ts, which run
against the live API), `ZOD` those of 42-Lyon/42api-zod-schemas (src/resources). Field names,
types and what may be null; fields that neither names may come too. Where the two disagree, here
is what the more lenient one takes: both have parsed real answers.

`?` marks what may be null, `{name}` an object, `[name]` a list of objects, `|` alternatives.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

_SHORT_USER = (
    "id:number email:str login:str first_name:str last_name:str url:str displayname:str kind:str "
    "image:{image}? staff?:bool correction_point:number pool_month:str? pool_year:str? "
    "location:str? wallet:number anonymize_date:date? data_erasure_date:date? created_at:date "
    "updated_at:date alumnized_at:date? alumni?:bool active?:bool usual_full_name:str phone:str"
)
_CAMPUS = (
    "id:number name:str time_zone:str language:{language} users_count:number vogsphere_id:number? "
    "country:str address:str zip:str city:str website:str facebook:str twitter:str active:bool "
    "public:bool email_extension:str? default_hidden_phone:bool"
)
_TEAM = (
    "id:number name:str url:str final_mark:number? project_id:number created_at:date "
    "updated_at:date status:team_status terminating_at:date? locked?:bool validated?:bool? "
    "closed?:bool repo_url:str? repo_uuid:str locked_at:date? closed_at:date? "
    "project_session_id:number project_gitlab_path:str? users:[team_user]"
)
_EVALUATION = (
    "id:number scale_id:number comment:str? created_at:date updated_at:date feedback:str? "
    "final_mark:number? flag:{flag} begin_at:date correcteds:[person]|str "
    "corrector:{person}|str|{nobody} truant:{person}|{nobody} filled_at:date? "
    "questions_with_answers:list"
)
_PROJECT = (
    "id:number name:str slug:str difficulty:number? created_at:date updated_at:date exam:bool"
)
_SESSION = (
    "id:number solo:bool? begin_at:date? end_at:date? estimate_time:str? difficulty:number? "
    "objectives:list? description:str? duration_days:number? terminating_after:number? "
    "project_id:number campus_id:number? cursus_id:number? created_at:date updated_at:date "
    "max_people:number? is_subscriptable:bool? scales:[scale_use] uploads:[named] "
    "team_behaviour:str commit:str? minimum_mark:number"
)
_ACHIEVEMENT = (
    "id:number name:str description:str tier:tier kind:achievement_kind visible:bool image:str? "
    "nbr_of_success:number? users_url:str"
)

SCHEMAS = {
    # objects that are nested
    "user": _SHORT_USER,  # S42, ZOD
    "image": "link:str? versions:{versions}",  # S42, ZOD
    "versions": "large:str? medium:str? small:str? micro:str?",
    "language": "id:number name:str identifier:str created_at:date updated_at:date",  # S42
    "inner_campus": _CAMPUS,  # ZOD campus/lib/inner
    "endpoint": "id:number url:str description:str created_at:date updated_at:date",  # ZOD
    "cursus": "id:number created_at:date name:str slug:str kind:str",  # S42, ZOD
    "named": "id:number name:str",
    "person": "id:number login:str url:str",  # S42, ZOD users/lib/micro
    "nobody": "",
    "flag": "id:number name:str positive:bool icon:str? created_at:date updated_at:date",
    "team": _TEAM,  # S42 teamBaseSchema, ZOD teams/lib/teamBase
    "team_user": (
        "id:number login:str url:str leader:bool occurrence:number validated:bool "
        "projects_user_id:number"
    ),  # S42, ZOD projects_user: never null
    "scale_use": "id:number correction_number:number? is_primary:bool",
    "scale": (
        "id:number evaluation_id:number name:str is_primary:bool comment:str introduction_md:str "
        "disclaimer_md:str guidelines_md:str created_at:date correction_number:number "
        "duration:number manual_subscription:bool languages:[language] flags:[flag] free:bool?"
    ),
    "feedback": (
        "id:number user:{person}? feedbackable_type:str feedbackable_id:number comment:str "
        "rating:number? created_at:date"
    ),
    "evaluation": _EVALUATION,  # S42 scaleTeamBaseSchema, ZOD team.scale_teams
    "upload": "id:number final_mark:number comment:str created_at:date upload_id:number",
    "nested_project": _PROJECT,  # S42 projectSchema
    "base_project": "id:number name:str slug:str parent_id:number?",  # ZOD, S42 projectBaseSchema
    "related_project": "id:number name:str slug:str url:str",  # ZOD
    "kind": "id:number kind:str",
    "quest": (
        "id:number name:str slug:str kind:str internal_name:str? description:str cursus_id:number "
        "campus_id:number? created_at:date updated_at:date grade_id:number? position:number"
    ),  # S42, ZOD intraQuestBaseSchema
    "session": _SESSION,  # ZOD intraProjectSessionSchema
    "skill": "id:number name:str level:number",  # ZOD
    "parent_achievement": _ACHIEVEMENT,
    # rows of listings
    "campus": _CAMPUS + " endpoint:{endpoint}?",  # S42, ZOD
    "cursus_user": (
        "id:number grade:str? level:number blackholed_at:date? begin_at:date end_at:date? "
        "cursus_id:number has_coalition:bool created_at:date updated_at:date user:{user} "
        "cursus:{cursus} skills:[skill]"
    ),  # S42, ZOD
    "campus_user": (
        "id:number user_id:number campus_id:number is_primary:bool created_at:date updated_at:date"
    ),  # S42, ZOD
    "coalition": (
        "id:number name:str slug:str image_url:str cover_url:str? color:str score:number "
        "user_id:number"
    ),  # ZOD
    "bloc": (
        "id:number campus_id:number cursus_id:number squad_size:number? created_at:date "
        "updated_at:date coalitions:[coalition]"
    ),  # ZOD
    "coalitions_user": (
        "id:number coalition_id:number user_id:number score:number rank:number created_at:date "
        "updated_at:date"
    ),  # S42, ZOD
    "achievement": _ACHIEVEMENT
    + " campus:list achievements:list parent:{parent_achievement}? title:{named}?",  # ZOD
    "achievements_user": (
        "id:number achievement_id:number user_id:number login:str nbr_of_success:number? url:str "
        "created_at:date updated_at:date"
    ),  # ZOD
    "event": (
        "id:number name:str description:str location:str kind:str max_people:number? begin_at:date "
        "end_at:date campus_ids:list cursus_ids:list created_at:date updated_at:date"
    ),  # S42
    "events_user": "id:number event_id:number user_id:number user:{user} event:{event}",  # S42
    "exam": (
        "id:number ip_range:str begin_at:date end_at:date location:str max_people:number? "
        "nbr_subscribers:number name:str created_at:date updated_at:date campus:{inner_campus} "
        "cursus:[cursus] projects:[nested_project]"
    ),  # S42
    "location": (
        "id:number begin_at:date end_at:date? primary:bool host:str campus_id:number user:{user}"
    ),  # S42
    "project": (
        _PROJECT + " parent:{related_project}? children:[related_project] attachments:list "
        "git_id:number? repository:str? cursus:[cursus] campus:[inner_campus] videos:list "
        "project_sessions:[session]"
    ),  # ZOD
    "project_session": (
        _SESSION + " project:{nested_project} campus:{inner_campus}? cursus:{cursus}? "
        "evaluations:[kind] project_sessions_rules:list"
    ),  # S42
    "projects_user": (
        "id:number occurrence:number final_mark:number? status:project_status validated?:bool? "
        "current_team_id:number? project:{base_project} cursus_ids:list marked_at:date? "
        "marked:bool retriable_at:date? created_at:date updated_at:date user:{user} teams:[team]"
    ),  # S42, ZOD
    "quests_user": (
        "id:number end_at:date? quest_id:number validated_at:date? prct:number? advancement:str? "
        "created_at:date updated_at:date user:{user} quest:{quest}"
    ),  # S42, ZOD
    "scale_team": _EVALUATION + " scale:{scale} team:{team} feedbacks:[feedback]",  # S42, ZOD
    "listed_team": _TEAM + " scale_teams:[evaluation] teams_uploads:[upload]",  # S42, ZOD
    "teams_user": (
        "id:number team_id:number user_id:number created_at:date validated:bool leader:bool "
        "occurrence:number team:{team} user:{user}"
    ),  # ZOD
    "title": "id:number name:str",  # S42
    "titles_user": (
        "id:number user_id:number title_id:number selected:bool created_at:date updated_at:date"
    ),  # S42, ZOD
}
WORDS = {
    "team_status": {"creating_group", "in_progress", "waiting_for_correction", "finished"},
    "project_status": {"creating_group", "finished", "in_progress", "parent",
                       "searching_a_group", "waiting_for_correction"},
    "tier": {"none", "easy", "medium", "hard", "challenge"},
    "achievement_kind": {"project", "social", "pedagogy", "scolarity"},
}  # fmt: skip
_TYPES: dict[str, tuple[type, ...]] = {
    "number": (int, float),
    "str": (str,),
    "bool": (bool,),
    "list": (list,),
}


def refusals(row: Any, schema: str, where: str = "") -> list[str]:
    """Return why a client would not take a row; empty when it does."""
    found = []
    for name, _, kind in (field.rpartition(":") for field in SCHEMAS[schema].split()):
        place = f"{where or schema}.{name}"
        if name not in row:
            found.append(f"{place} is missing")
        elif row[name] is not None or not kind.endswith("?"):
            tries = [_refused(row[name], one, place) for one in kind.rstrip("?").split("|")]
            found += [] if [] in tries else tries[0]
    return found


def _refused(value: Any, kind: str, where: str) -> list[str]:
    if kind.startswith("{"):
        named = isinstance(value, dict)
        return refusals(value, kind[1:-1], where) if named else [f"{where} is {value!r}"]
    if kind.startswith("["):
        if not isinstance(value, list):
            return [f"{where} is {value!r}"]
        return [one for row in value for one in refusals(row, kind[1:-1], where)]
    if kind in WORDS:
        return [] if value in WORDS[kind] else [f"{where} is {value!r}"]
    if kind == "date":
        return [] if _is_date(value) else [f"{where} is {value!r}"]
    return [] if type(value) in _TYPES[kind] else [f"{where} is {value!r}"]


def _is_date(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value) is not None
    except (TypeError, ValueError):
        return False
