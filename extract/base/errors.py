"""The few errors that end a run; each message is one paragraph that names the cause and the fix.

Exit statuses follow the interface: 1 failed, nothing published; 2 wrong usage or configuration;
75 (EX_TEMPFAIL) another run holds the lock or the budget is spent: try later.
"""


class MirrorError(Exception):
    """A run that cannot go on. The message is for a person and never holds a secret."""

    exit_status = 1


class UsageError(MirrorError):
    """Wrong usage or configuration: nothing was started."""

    exit_status = 2


class MissingDatabase(UsageError):
    """The server has no database of that name."""


class CredentialsError(UsageError):
    """The API refuses the application's credentials."""


class BusyError(MirrorError):
    """Another run holds the lock; try later."""

    exit_status = 75


class BudgetSpent(MirrorError):
    """The call budget or the API's hour is used up; what was read is kept for the next run."""

    exit_status = 75


class ApiError(MirrorError):
    """The API's answer is final or stayed wrong after every retry.

    Attributes:
        status: Of an answer that is final.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class IncompleteListing(ApiError):
    """A listing that never added up to its own X-Total: it does not count."""


class ContractError(ApiError):
    """A payload does not fit what extract/tables/declarations.py declares."""


class DeletionGuard(MirrorError):
    """Complete listings would delete more than `max_delete_fraction` of a table."""
