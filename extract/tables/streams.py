"""The streams that the tables belong to, and which of them `STREAMS` has switched on."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from extract.base.errors import UsageError
from extract.base.settings import environment, number

ESSENTIAL = "essential"


@dataclass(frozen=True)
class Stream:
    """A part of the mirror that is read, or not, as a whole.

    Attributes:
        holds: What its tables tell, in a few words.
        default: Read when `STREAMS` says nothing.
        needs: The stream whose answers its rows come with.
        days: How long its rows are kept, unless `retention` says otherwise; None: as long as the
            API lists them.
    """

    name: str
    holds: str
    default: bool = True
    needs: str = ""
    days: int | None = None

    @property
    def retention(self) -> str:
        """The setting that says how many days its rows are kept."""
        return f"{self.name.upper()}_RETENTION_DAYS"

    def kept_from(self) -> datetime | None:
        """Before when its rows are neither asked for nor kept, a midnight (UTC); None: no limit.

        Raises:
            UsageError: The setting is no number of days.
        """
        if self.days is None:
            return None
        days = number(environment(), self.retention, self.days)
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return today - timedelta(days=days)


STREAMS = {
    stream.name: stream
    for stream in (
        Stream(ESSENTIAL, "reference tables, students and their cursus; always on"),
        Stream("relations", "marks, achievements, coalition scores"),
        Stream("milestones", "quests, and how far each student is in them"),
        Stream("transfers", "who was at which campus, and since when"),
        Stream("seats", "who sat at which computer, and when", default=False, days=90),
        Stream("attempts", "teams and their members, out of the marks", needs="relations"),
        Stream("agenda", "events, who signed up for them, and exams", default=False),
        Stream("evaluations", "who evaluated whom, and when", default=False, days=365),
    )
}


def streams_on() -> frozenset[str]:
    """The streams that are read: the essential one, and those of `STREAMS` or the default ones.

    Raises:
        UsageError: `STREAMS` names a stream that there is not, or one without what it needs, or a
            retention is no number.
    """
    for stream in STREAMS.values():
        stream.kept_from()
    text = environment().get("STREAMS", "")
    if not text.strip():
        return frozenset(stream.name for stream in STREAMS.values() if stream.default)
    chosen = {name.strip() for name in text.split(",") if name.strip()} | {ESSENTIAL}
    unknown = sorted(chosen - STREAMS.keys())
    if unknown:
        raise UsageError(
            f"STREAMS names {', '.join(unknown)}; the streams are {', '.join(STREAMS)}. Give those "
            "to be read, with commas between them; essential is always read."
        )
    for name in sorted(chosen):
        needed = STREAMS[name].needs
        if needed and needed not in chosen:
            raise UsageError(
                f"STREAMS names {name}, whose rows come with those of {needed}: name {needed} too, "
                f"or leave {name} out."
            )
    return frozenset(chosen)
