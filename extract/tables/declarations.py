"""The tables that are read, parents before children: columns, endpoint, readings, people.

Field names and types come from 42-api.md section 5, endpoints and filters from section 4.1. Three
rules hold for columns:

- a field that is not listed is kept in `unknown_fields` (jsonb) and reported once;
- a listed field that changed its type fails here, by name, before anything is loaded, also in the
  lists (`nested`): a model that cannot cast it would stop every build;
- nested copies of other resources (`user`, `project`, `cursus`) are reduced to their ids: the rows
  they copy have tables of their own and change at their own pace.
"""

from collections.abc import Collection
from functools import partial
from typing import Any

from extract.tables.streams import ESSENTIAL
from extract.tables.table import Row, Table, columns, day_of, reduced

STUDENT_KIND = "student"  # of whoever is no alumnus either; rule 7 of the models has it as a var


def _project(row: Row) -> None:
    # users_count moves with every account of the campus and is no content of the project
    campuses = row.get("campus")
    if isinstance(campuses, list):
        for campus in campuses:
            if isinstance(campus, dict):
                campus.pop("users_count", None)


def _campus_achievement(row: Row) -> None:
    # the payload is the achievement, which has a table of its own
    pair = {"campus_id": row.get("campus_id"), "achievement_id": row.get("id")}
    row.clear()
    row.update(pair)


def _projects_user(row: Row) -> None:
    teams = row.get("teams")
    if not isinstance(teams, list):
        return
    found = [team for team in teams if isinstance(team, dict)]
    current = row.get("current_team_id")
    row["current_team"] = next(
        (t for t in found if current is not None and t.get("id") == current), None
    )
    row["teams"] = [_team(team) for team in found]


def _team(team: Row) -> Row:
    """A team without its repository's addresses, and without its name, which holds a login."""
    kept: Row = reduced(team, TEAM)
    users = team.get("users")
    kept["users"] = [
        {
            column.field: user.get("id" if column.name == "user_id" else column.field)
            for column in TEAM_USER
        }
        for user in (users if isinstance(users, list) else ())
        if isinstance(user, dict)
    ]
    return kept


def _location(row: Row) -> None:
    # `primary` is a word of SQL
    if "primary" in row:
        row["is_primary"] = row.pop("primary")


def _scale_team(row: Row) -> None:
    """Name who takes part, and in which role; people are "invisible" until shortly before."""
    if ROLES.keys() <= row.keys():
        people: Any = []
        for name, role in ROLES.items():
            value = row.pop(name)
            if name != "truant":
                row[f"{role}_hidden"] = value == INVISIBLE
            found = value if isinstance(value, list) else [{} if value == INVISIBLE else value]
            odd = [one for one in found if not isinstance(one, dict | None)]
            if odd:  # for the contract to refuse
                people = odd[0]
                break
            ids = [one.get("id") for one in found if one]  # {} stands for nobody
            people += [{"user_id": one, "role": role} for one in ids if one is not None]
        row["people"] = people
    if isinstance(team := row.pop("team", None), dict):
        row |= {"team_id": team.get("id"), "project_id": team.get("project_id")}
    row["begin_day"] = day_of(row.get("begin_at"))


INVISIBLE = "invisible"
ROLES = {"corrector": "corrector", "correcteds": "corrected", "truant": "truant"}
ID = columns("bigint: id")
QUEST = columns(
    """bigint: id! cursus_id campus_id grade_id position
    text: name slug kind internal_name
    timestamp: created_at updated_at"""
)
TEAM = columns(
    """bigint: id!! project_id project_session_id final_mark
    text: status
    bool: validated? locked? closed?
    timestamp: locked_at closed_at terminating_at created_at updated_at"""
)
PROJECT_SESSION = columns(
    """bigint: id!! campus_id cursus_id difficulty duration_days terminating_after max_people
    bool: solo is_subscriptable
    timestamp: begin_at end_at created_at updated_at"""
)
FLAG = columns(
    """bigint: id
    text: name
    bool: positive"""
)
SCALE_TEAM_USER = columns(
    """bigint: user_id!!
    text: role"""
)
TEAM_USER = columns(
    """bigint: user_id projects_user_id occurrence
    bool: leader validated"""
)

# read whole by 100 students at a time, and what is new by its `updated_at`
BY_STUDENT = partial(
    Table,
    full=None,
    backfill=True,
    ranges=("updated_at",),
    scope="user_id",
    person="user_id",
)

DECLARED = (
    Table(
        "cursus",
        """bigint: id!!
        timestamp: created_at
        text: name! slug kind""",
        stream=ESSENTIAL,
        always_has_rows=True,
    ),
    Table(
        "campus",
        """bigint: id!!
        text: name! time_zone
        json: language
        bigint: users_count! vogsphere_id
        text: country address zip city website facebook twitter
        bool: active! public!
        text: email_extension
        bool: default_hidden_phone
        json: endpoint""",
        stream=ESSENTIAL,
        published="campuses",
        full="campuses",
        moving=frozenset({"users_count"}),
        always_has_rows=True,
    ),
    Table(
        "projects",
        """bigint: id!!
        text: name! slug!
        bigint: difficulty
        json: parent children attachments
        timestamp: created_at updated_at
        bool: exam
        bigint: git_id
        text: repository recommendation
        json: cursus! campus! videos project_sessions!""",
        "/cursus/{cursus}/projects",
        stream=ESSENTIAL,
        always_has_rows=True,
        # 100 projects carry some 4,000 campus objects: one such page at a time is enough
        in_flight=1,
        prepare=_project,
        nested={"project_sessions": PROJECT_SESSION, "campus": ID, "cursus": ID, "parent": ID},
    ),
    Table(
        "achievements",
        """bigint: id!!
        text: name! description tier kind
        bool: visible
        text: image
        bigint: nbr_of_success
        text: users_url
        json: achievements campus! parent title""",
        stream=ESSENTIAL,
        moving=frozenset({"nbr_of_success"}),
        always_has_rows=True,
        nested={"parent": ID},
    ),
    Table(
        "coalitions",
        """bigint: id!!
        text: name! slug image_url cover_url color
        bigint: score user_id""",
        stream=ESSENTIAL,
        by_id=False,
        mentions=("user_id",),  # the coalition's master
        moving=frozenset({"score"}),
        always_has_rows=True,
    ),
    Table(
        "blocs",
        """bigint: id!! campus_id! cursus_id! squad_size
        timestamp: created_at updated_at
        json: coalitions!""",
        stream=ESSENTIAL,
        published="",
        always_has_rows=True,
        nested={"coalitions": ID},
        # their scores have a table of their own; here they only say who belongs where
        reduced=("coalitions",),
    ),
    Table(
        "campus_achievements",
        "bigint: campus_id!! achievement_id!!",
        "/campus/{campus}/achievements",
        stream=ESSENTIAL,
        primary_key=("campus_id", "achievement_id"),
        full="by campus",
        # achievements name their campuses, without ids: only a name of two is asked for
        campuses="of shared name",
        by_id=False,
        scope="campus_id",
        prepare=_campus_achievement,
    ),
    Table(
        "users",
        """bigint: id!!
        text: email login!! first_name last_name usual_full_name usual_first_name
        text: url phone displayname kind!!
        json: image
        bool: staff?
        bigint: correction_point
        text: pool_month pool_year location
        bigint: wallet
        timestamp: anonymize_date data_erasure_date created_at updated_at! alumnized_at
        bool: alumni?! active?
        bigint: campus_id!!""",
        "/cursus/{cursus}/users",
        stream=ESSENTIAL,
        full="students",
        ranges=("updated_at",),
        students={"filter[kind]": STUDENT_KIND, "filter[alumni?]": "false"},
        # the payload has no campus: the students are listed a campus at a time
        campus_filter="filter[primary_campus_id]",
        scope="campus_id",
        person="id",
        rows_a_student=1,
        moving=frozenset({"location", "wallet", "correction_point"}),
    ),
    Table(
        "cursus_users",
        """bigint: id!! user_id! cursus_id!
        timestamp: begin_at end_at
        text: grade
        double: level!
        json: skills
        bool: has_coalition
        timestamp: blackholed_at created_at updated_at!""",
        "/cursus/{cursus}/cursus_users",
        stream=ESSENTIAL,
        full="by students",
        ranges=("updated_at",),
        scope="user_id",
        person="user_id",
        rows_a_student=1,
        moving=frozenset({"level", "skills", "grade", "blackholed_at"}),
        copies=("user", "cursus"),
    ),
    BY_STUDENT(
        "campus_users",
        """bigint: id!! user_id! campus_id!
        bool: is_primary!
        timestamp: created_at updated_at!""",
        stream="transfers",
        rows_a_student=1.2,
        places_people=True,
    ),
    BY_STUDENT(
        "coalitions_users",
        """bigint: id!! coalition_id! user_id! score rank
        timestamp: created_at updated_at!""",
        stream="relations",
        rows_a_student=2.3,
        moving=frozenset({"score", "rank"}),
    ),
    BY_STUDENT(
        "projects_users",
        """bigint: id!! user_id! project_id! occurrence final_mark
        text: status!
        bool: validated?
        bigint: current_team_id
        json: current_team cursus_ids teams
        timestamp: marked_at
        bool: marked
        timestamp: retriable_at created_at updated_at!""",
        stream="relations",
        params={},  # it documents no sort: its order is updated_at, descending
        rows_a_student=38,
        copies=("user", "project"),
        prepare=_projects_user,
        nested={"teams": TEAM, "teams.users": TEAM_USER},
        derived=frozenset({"current_team"}),
        set_apart=frozenset({"teams"}),
    ),
    Table(
        "projects_users_teams",
        """bigint: id!! user_id!
        json: teams""",
        "/projects_users",
        published="",
        stream="attempts",
        comes_with="projects_users",
        full=None,
        scope="user_id",
        person="user_id",
    ),
    BY_STUDENT(
        "achievements_users",
        """bigint: id!! achievement_id! user_id! nbr_of_success
        text: url
        timestamp: created_at updated_at!""",
        stream="relations",
        rows_a_student=25,
        left_out=frozenset({"login"}),
    ),
    BY_STUDENT(
        "quests_users",
        """bigint: id!! user_id! quest_id!
        timestamp: end_at validated_at
        double: prct
        text: advancement
        timestamp: created_at updated_at!
        json: quest""",
        stream="milestones",
        rows_a_student=5,
        copies=("user",),
        nested={"quest": QUEST},
        # the list of quests is closed to applications: a copy of each comes with these rows
        reduced=("quest",),
    ),
    Table(
        "events",
        """bigint: id!!
        text: name! description location kind
        bigint: max_people nbr_subscribers
        timestamp: begin_at end_at
        json: campus_ids! cursus_ids!
        bigint: prohibition_of_cancellation
        json: waitlist themes
        timestamp: created_at updated_at!""",
        stream="agenda",
        ranges=("updated_at",),
        moving=frozenset({"nbr_subscribers"}),
        nested={"campus_ids": ID, "cursus_ids": ID},
    ),
    Table(
        "events_users",
        "bigint: id!! event_id! user_id!",
        stream="agenda",
        full=None,
        backfill=True,
        parents="events",
        open_until="end_at",
        ranges=("id",),  # its dates are not in the payload
        scope="event_id",
        person="user_id",
        rows_a_student=25,
        copies=("user", "event"),
    ),
    Table(
        "exams",
        """bigint: id!! campus_id!
        text: name! location
        bigint: max_people nbr_subscribers
        timestamp: begin_at end_at
        json: cursus! projects!
        timestamp: created_at updated_at!""",
        stream="agenda",
        # with a range the rows come once for each of their projects
        again={"filter[future]": "true"},
        moving=frozenset({"nbr_subscribers"}),
        copies=("campus",),
        nested={"cursus": ID, "projects": ID},
        reduced=("cursus", "projects"),
        left_out=frozenset({"ip_range"}),  # it tells how networks are laid out
    ),
    Table(
        "locations",
        """bigint: id!! user_id! campus_id!
        timestamp: begin_at! end_at
        bool: is_primary
        text: host""",
        stream="seats",
        full="open rows",
        backfill=True,
        ranges=("end_at", "begin_at"),
        kept_by="begin_at",
        open_rows={"filter[active]": "true"},
        open_column="end_at",
        person="user_id",
        rows_a_student=25,
        copies=("user",),
        prepare=_location,
        left_out=frozenset({"floor", "row", "post"}),
    ),
    Table(
        "scale_teams",
        """bigint: id!! scale_id! team_id project_id final_mark feedback_rating
        json: people! flag
        bool: corrector_hidden corrected_hidden
        timestamp: begin_at! filled_at
        bigint: begin_day
        timestamp: created_at updated_at!""",
        stream="evaluations",
        full=None,
        backfill=True,
        # no filter by people or teams is sure to find all of theirs
        parents="days",
        ranges=("updated_at",),
        params={"sort": "id", "filter[cursus_id]": "{cursus}"},
        scope="begin_day",
        kept_by="begin_at",
        rows_a_student=12,
        page_size=30,  # more take too long
        moving=frozenset({"corrector_hidden", "corrected_hidden"}),
        prepare=_scale_team,
        nested={"people": SCALE_TEAM_USER, "flag": FLAG},
        reduced=("flag",),
        derived=frozenset(
            {"team_id", "project_id", "people", "corrector_hidden", "corrected_hidden", "begin_day"}
        ),
        left_out=frozenset({"comment", "feedback", "feedbacks", "questions_with_answers", "scale"}),
        unknown_values=False,  # a new field may hold what people wrote about each other
    ),
)
TABLES = {table.name: table for table in DECLARED}


def backfilled(streams: Collection[str]) -> list[str]:
    """The tables that a backfill reads by their parents (`Table.parents`)."""
    return [table.name for table in TABLES.values() if table.backfill and table.stream in streams]


def coming_with(table: str, streams: Collection[str]) -> list[Table]:
    """The tables of these streams whose rows come with those of another one."""
    return [t for t in TABLES.values() if t.comes_with == table and t.stream in streams]


# where `ops` says whose rows a backfill has read: table -> the column that says of whom
READS = {table.reads: table.parent for table in TABLES.values() if table.backfill}
# indexes of raw, for merges, deletes and questions by person: name -> table, columns
INDEXES = {
    f"{name}_{'_'.join(columns)}_idx": (name, columns)
    for name, declared in TABLES.items()
    # a key of one column has its index from dlt's `unique`
    for columns in dict.fromkeys([declared.primary_key, (declared.person,), (declared.parent,)])
    if columns not in (("id",), ("",))
}
