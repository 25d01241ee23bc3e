"""Names in logs: ours hold numbers only, but the server tells a bad row, and dbt repeats it."""

import gzip
import re
from collections.abc import Collection

from extract.base.settings import ROOT, environment, local_directory


def forget(names: Collection[str]) -> None:
    """Delete the lines of this machine's logs that hold one of these logins as a word.

    In place: a process that appends to the file goes on doing so.
    """
    if not names:
        return
    words = b"|".join(re.escape(name.encode()) for name in names)
    line = re.compile(rb"^.*(?<![\w-])(?:" + words + rb")(?![\w-]).*\n?", re.MULTILINE)
    local = local_directory()
    # a sync's dbt writes below .local, or where it is told to; a bare one beside its project
    told = [environment().get(name) for name in ("DBT_LOG_PATH", "DBT_TARGET_PATH")]
    folders = {local / "dbt" / "logs", local / "dbt" / "target", ROOT / "logs", ROOT / "target"}
    folders |= {ROOT / folder for folder in told if folder}
    dbt_logs = (path for folder in folders for path in folder.glob("dbt.log*"))
    of_server = local.glob("postgres.log*")  # the embedded one's
    for path in (*(local / "logs").glob("*"), *of_server, *dbt_logs):
        packed = path.suffix == ".gz"
        text = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
        left = line.sub(b"", text)
        if left != text:
            path.write_bytes(gzip.compress(left) if packed else left)
    # the same words once more, of the last build alone
    for results in (folder / "run_results.json" for folder in folders):
        if results.is_file() and any(
            name in results.read_text("utf-8", "replace") for name in names
        ):
            results.unlink()
