"""Who was erased on request and stays out.

`ops.kept_out` holds a keyed hash (HMAC-SHA256) of the person's number in the API. There are so few
numbers that a hash without a key is undone by trying them all, so the key is not in the database:
it is in `kept-out.keys` (FORTYTWO_LOCAL, mode 0600) and in the note beside each backup.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from extract.base.errors import UsageError
from extract.base.query import execute, exists, transaction
from extract.base.settings import local_directory

# beyond every number that the API has given; hashes of before there was a key are found up to here
HIGHEST_ID = 2_000_000


class KeptOut:
    """The people who are kept out, as a container of their numbers: `12345 in kept_out`.

    Args:
        hashes: What `ops.kept_out` holds.
        keys: Keys that they may have been made with.
    """

    def __init__(self, hashes: Iterable[str] = (), keys: Iterable[bytes] = ()) -> None:
        self._hashes, self._keys = frozenset(hashes), tuple(keys)
        self._known: dict[int, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def __contains__(self, user_id: object) -> bool:
        if not self._hashes or not isinstance(user_id, int):
            return False
        if user_id not in self._known:
            possible = {_hash_without_key(user_id), *(_hash(user_id, key) for key in self._keys)}
            self._known[user_id] = not possible.isdisjoint(self._hashes)
        return self._known[user_id]


def load(connection: Connection) -> KeptOut:
    """Read who is kept out.

    Raises:
        UsageError: A key is missing: nobody can tell any more who is to stay out.
    """
    keys = {key_id(key): key for key in map(bytes.fromhex, read_keys())}
    if not exists(connection, "ops.kept_out"):
        return KeptOut()
    # an earlier version's table has no such column, and its hashes no key
    rows = execute(connection, "select person, to_jsonb(kept_out) ->> 'key_id' from ops.kept_out")
    unknown = sum(name is not None and name not in keys for _, name in rows)
    if unknown:
        raise UsageError(
            f"{unknown} people were erased and are to stay out, but the key that tells who they "
            f"are is not in {key_file()}. Copy that file from the machine that erased them, or put "
            'there the lines of "kept_out_keys" from the note (.json) beside a backup. Nothing '
            "was read or changed. docs/privacy.md says how to let everybody back in instead."
        )
    return KeptOut((person for person, _ in rows), keys.values())


def give_keys(connection: Connection) -> None:
    """Replace the hashes of an earlier version, which had no key, by keyed ones.

    Args:
        connection: In autocommit mode.
    """
    found = execute(connection, "select person from ops.kept_out where key_id is null")
    without_key = {person for (person,) in found}
    if not without_key:
        return
    people = [n for n in range(HIGHEST_ID) if _hash_without_key(n) in without_key]
    with transaction(connection) as cursor:
        add(cursor, people)
        cursor.execute(
            "delete from ops.kept_out where person = any(%s)",
            ([_hash_without_key(user_id) for user_id in people],),
        )


def add(cursor: Any, user_ids: Iterable[int]) -> None:
    """Keep people out, in the transaction of the cursor."""
    key = _newest_key()
    execute_values(
        cursor,
        "insert into ops.kept_out (person, key_id, since) values %s on conflict do nothing",
        [(_hash(user_id, key), key_id(key)) for user_id in user_ids],
        template="(%s, %s, now())",
    )


def remove(connection: Connection, user_id: int) -> bool:
    """Let somebody back in; returns whether they were kept out."""
    load(connection)
    hashes = [_hash(user_id, bytes.fromhex(key)) for key in read_keys()]
    hashes.append(_hash_without_key(user_id))
    with connection.cursor() as cursor:
        cursor.execute("delete from ops.kept_out where person = any(%s)", (hashes,))
        return bool(cursor.rowcount)


def key_file() -> Path:
    """Where the keys are: one a line, in hexadecimal digits, the newest last."""
    return local_directory() / "kept-out.keys"


def read_keys() -> list[str]:
    """The keys of this machine; none before anybody was kept out."""
    try:
        return re.findall(r"\b[0-9a-f]{64}\b", key_file().read_text("utf-8"))
    except FileNotFoundError:
        return []


def add_keys(keys: Iterable[str]) -> None:
    """Add keys, of a backup for instance, to those of this machine."""
    fresh = [key for key in keys if key not in read_keys()]
    if not fresh:
        return
    path = key_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{key}\n" for key in fresh)
        file.flush()
        os.fsync(descriptor)  # a hash whose key is lost is worth nothing


def key_id(key: bytes) -> str:
    """Names a key without telling it."""
    return hashlib.sha256(key).hexdigest()[:16]


def _newest_key() -> bytes:
    if not read_keys():
        add_keys([secrets.token_hex(32)])
    return bytes.fromhex(read_keys()[-1])


def _hash(user_id: int, key: bytes) -> str:
    return hmac.digest(key, f"user {user_id}".encode(), "sha256").hex()


def _hash_without_key(user_id: int) -> str:
    return hashlib.sha256(f"fortytwo-mirror user {user_id}".encode()).hexdigest()
