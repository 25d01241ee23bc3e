"""What a build depends on, and what the last publication depended on."""

import hashlib
from typing import Any

from psycopg2.extensions import connection as Connection

from extract.base.query import exists, scalar
from extract.base.settings import ROOT
from extract.load.raw import Raw


def build_signature(connection: Connection) -> dict[str, Any]:
    """What a build depends on: the content of raw and the text of the dbt project."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "dbt_project").rglob("*")):
        if path.suffix in (".sql", ".yml", ".md") and path.is_file():
            digest.update(path.read_bytes())
    # unit tests hold of the versions of dbt, too
    for name in ("dbt_project.yml", "requirements.lock"):
        digest.update((ROOT / name).read_bytes())
    return {"raw": Raw(connection).signature(), "models": digest.hexdigest()[:16]}


def published_signature(connection: Connection) -> dict[str, Any] | None:
    """The signature of what `mirror` shows now; None when that is unknown.

    A publication by a dbt that is not the virtual environment's records none.
    """
    if not exists(connection, "ops.runs"):
        return None
    signature: dict[str, Any] | None = scalar(
        connection,
        "select raw_signature from ops.runs where published_at is not null "
        "order by published_at desc limit 1",
    )
    return signature
