"""What a build depends on, and what the last publication depended on."""

import hashlib
from typing import Any

from psycopg2.extensions import connection as Connection

from extract.base.query import exists, scalar
from extract.base.settings import ROOT
from extract.load.raw import Raw


def build_signature(connection: Connection) -> dict[str, Any]:
    """What a build depends on: the content of raw, and the models."""
    return {"raw": Raw(connection).signature(), "models": models_digest()}


def models_digest() -> str:
    """A hash of the text of the dbt project and of the versions that it is run with."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "dbt_project").rglob("*")):
        if path.suffix in (".sql", ".yml", ".md") and path.is_file():
            digest.update(path.read_bytes())
    for name in ("dbt_project.yml", "requirements.lock"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()[:16]


def published_signature(connection: Connection) -> dict[str, Any] | None:
    """The signature of what `mirror` shows now; None when that is unknown.

    That of a bare `dbt build` has the models alone: to count raw takes seconds. A dbt that is not
    the virtual environment's records none.
    """
    if not exists(connection, "ops.runs"):
        return None
    signature: dict[str, Any] | None = scalar(
        connection,
        "select raw_signature from ops.runs where published_at is not null "
        "order by published_at desc limit 1",
    )
    return signature
