"""Encryption of backups with age (age-encryption.org); the program `age` reads the same files.

The machine that makes backups needs the public half of a key only; the secret half, without which
no backup can be restored, is best kept elsewhere.
"""

import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import IO, Any

import pyrage  # type: ignore[import-untyped]

from extract.base.errors import MirrorError, UsageError
from extract.base.settings import environment

NEW_KEY = "`.venv/bin/python -m ops backup-key FILE` makes a pair"


class HashingWriter:
    """Writes to a file, counts and hashes; remembers the error that a library may swallow."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash = file, hashlib.sha256()
        self.bytes = 0
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write all of it."""
        try:
            self._file.write(data)
        except OSError as error:
            self.error = error
            raise
        self._hash.update(data)
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    @property
    def sha256(self) -> str:
        """Of everything that was written."""
        return self._hash.hexdigest()


def encrypt(source: IO[bytes], target: HashingWriter, keys: list[Any]) -> None:
    """Copy a stream, encrypted if there are keys to encrypt for."""
    if not keys:
        shutil.copyfileobj(source, target, 1 << 20)
    else:
        try:
            pyrage.encrypt_io(source, target, keys)
        except pyrage.EncryptError as error:
            raise target.error or OSError(str(error)) from error
    if target.error:  # pyrage loses an error of the last block
        raise target.error


def decrypt(backup: Path, target: IO[bytes]) -> None:
    """Copy a backup into a stream, decrypted when it is encrypted.

    Raises:
        MirrorError: None of the keys opens it, or it is damaged.
        BrokenPipeError: The reader of the stream went away.
    """
    with backup.open("rb") as file:
        if not encrypted(backup):
            shutil.copyfileobj(file, target, 1 << 20)
            return
        keys = identities(backup)
        try:
            pyrage.decrypt_io(file, target, keys)
        except pyrage.DecryptError as error:
            raise MirrorError(
                f"{backup} cannot be decrypted ({error}): BACKUP_AGE_IDENTITY is not the key it "
                "was encrypted for, or the file is damaged. Nothing was changed."
            ) from error
        except OSError as error:
            if isinstance(error, BrokenPipeError) or error.errno in (errno.EPIPE, errno.ENOSPC):
                raise
            raise MirrorError(
                f"{backup} is damaged or cut short ({error}). Take another backup; nothing was "
                "changed."
            ) from error


def encrypted(backup: Path) -> bool:
    """Whether a file is encrypted, by its first bytes."""
    with backup.open("rb") as file:
        return file.read(22).startswith((b"age-encryption.org/v1", b"-----BEGIN AGE"))


def recipients() -> list[Any]:
    """Whom backups are encrypted for: BACKUP_AGE_RECIPIENT, public keys or a file of them.

    Raises:
        UsageError: One of them is no key.
    """
    text = environment().get("BACKUP_AGE_RECIPIENT", "")
    return [_recipient(line) for line in _lines(text, "BACKUP_AGE_RECIPIENT")]


def _recipient(text: str) -> Any:
    for kind in (pyrage.x25519, pyrage.ssh):
        try:
            return kind.Recipient.from_str(text)
        except pyrage.RecipientError:
            continue
    raise UsageError(  # never quotes it: it may be the secret half by mistake
        "BACKUP_AGE_RECIPIENT is no public key: it must be age1… or an ssh public key, several of "
        f"them with commas between, or the path of a file with such lines. {NEW_KEY}."
    )


def identities(backup: Path) -> list[Any]:
    """The keys that open backups: BACKUP_AGE_IDENTITY, a secret key or a file of them.

    Raises:
        UsageError: There are none.
    """
    text = environment().get("BACKUP_AGE_IDENTITY", "")
    if not text:
        raise UsageError(
            f"{backup} is encrypted: put BACKUP_AGE_IDENTITY=/path/to/the/secret/key into the "
            "environment or .env, then run the command again."
        )
    try:
        if not text.startswith("AGE-SECRET-KEY-") and "PRIVATE KEY" in _text_of(text):
            return [pyrage.ssh.Identity.from_buffer(Path(text).read_bytes())]
        lines = _lines(text, "BACKUP_AGE_IDENTITY")
        return [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError:
        raise UsageError(  # never quotes it: it may be a secret
            "BACKUP_AGE_IDENTITY is no secret key: it must be AGE-SECRET-KEY-1…, or the path of a "
            f"file with such lines, or of an ssh key without a passphrase. {NEW_KEY}."
        ) from None


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _lines(text: str, name: str) -> list[str]:
    """Keys given one by one, or in a file."""
    if text.startswith(("age1", "ssh-", "AGE-SECRET-KEY-")):
        return [key.strip() for key in text.split(",")]
    if not text:
        return []
    found = [line.strip() for line in _text_of(text).splitlines()]
    keys = [line for line in found if line and not line.startswith("#")]
    if not keys:
        raise UsageError(f"{name} is neither a key nor a readable file with one. {NEW_KEY}.")
    return keys


def new_key(path: Path) -> str:
    """Make a key: the secret half into a new file, the public half returned.

    Raises:
        UsageError: The file exists; a key that opens backups is never overwritten.
    """
    key = pyrage.x25519.Identity.generate()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"The key cannot be written to {path}: {error.strerror}.") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"# public key: {key.to_public()}\n{key}\n")
    return str(key.to_public())
