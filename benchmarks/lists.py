"""What a full pass reads, for the floor and the peers: the lists, and the columns they keep."""

from __future__ import annotations

STUDENTS = {"filter[kind]": "student", "filter[alumni?]": "false"}
REFERENCE = {
    "cursus": "/cursus",
    "campus": "/campus",
    "projects": "/cursus/21/projects",
    "achievements": "/achievements",
    "coalitions": "/coalitions",
    "blocs": "/blocs",
}
# the peers read the students and their cursus_users as one list each
LISTS: dict[str, tuple[str, dict[str, str]]] = {
    **{table: (path, {}) for table, path in REFERENCE.items()},
    "users": ("/cursus/21/users", STUDENTS),
    "cursus_users": ("/cursus/21/cursus_users", {}),
}
TABLES = {
    "cursus": "id:bigint created_at:timestamptz name:text slug:text kind:text",
    "campus": (
        "id:bigint name:text time_zone:text language:jsonb users_count:bigint vogsphere_id:bigint "
        "country:text address:text zip:text city:text website:text facebook:text twitter:text "
        "active:bool public:bool email_extension:text default_hidden_phone:bool endpoint:jsonb"
    ),
    "projects": (
        "id:bigint name:text slug:text difficulty:bigint parent:jsonb children:jsonb "
        "attachments:jsonb created_at:timestamptz updated_at:timestamptz exam:bool git_id:bigint "
        "repository:text recommendation:text cursus:jsonb campus:jsonb videos:jsonb "
        "project_sessions:jsonb"
    ),
    "achievements": (
        "id:bigint name:text description:text tier:text kind:text visible:bool image:text "
        "nbr_of_success:bigint users_url:text achievements:jsonb campus:jsonb parent:jsonb "
        "title:jsonb"
    ),
    "coalitions": (
        "id:bigint name:text slug:text image_url:text cover_url:text color:text score:bigint "
        "user_id:bigint"
    ),
    "blocs": (
        "id:bigint campus_id:bigint cursus_id:bigint squad_size:bigint created_at:timestamptz "
        "updated_at:timestamptz coalitions:jsonb"
    ),
    "users": (
        "id:bigint email:text login:text first_name:text last_name:text usual_full_name:text "
        "usual_first_name:text url:text phone:text displayname:text kind:text image:jsonb "
        "staff?:bool correction_point:bigint pool_month:text pool_year:text location:text "
        "wallet:bigint anonymize_date:timestamptz data_erasure_date:timestamptz "
        "created_at:timestamptz updated_at:timestamptz alumnized_at:timestamptz alumni?:bool "
        "active?:bool campus_id:bigint"
    ),
    "cursus_users": (
        "id:bigint user_id:bigint cursus_id:bigint begin_at:timestamptz end_at:timestamptz "
        "grade:text level:float8 skills:jsonb has_coalition:bool blackholed_at:timestamptz "
        "created_at:timestamptz updated_at:timestamptz"
    ),
}
