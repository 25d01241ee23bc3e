"""Names in logs: ours hold numbers only, but dbt repeats what the database said of a bad row."""

import gzip
import re
from collections.abc import Collection

from extract.base.settings import local_directory


def forget(names: Collection[str]) -> None:
    """Delete the lines of this machine's logs that hold one of these logins as a word.

    In place: a process that appends to the file goes on doing so.
    """
    if not names:
        return
    words = b"|".join(re.escape(name.encode()) for name in names)
    line = re.compile(rb"^.*(?<![\w-])(?:" + words + rb")(?![\w-]).*\n?", re.MULTILINE)
    dbt = local_directory() / "dbt"
    for folder in (local_directory() / "logs", dbt / "logs"):
        for path in folder.iterdir() if folder.is_dir() else ():
            packed = path.suffix == ".gz"
            text = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
            left = line.sub(b"", text)
            if left != text:
                path.write_bytes(gzip.compress(left) if packed else left)
    # the same words once more, of the last build alone
    (dbt / "target" / "run_results.json").unlink(missing_ok=True)
