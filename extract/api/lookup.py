"""Objects of the API by id, for the spot check: the same client and quota as a run's."""

from collections.abc import Callable, Sequence

from extract.api.client import FortyTwoClient
from extract.api.quota import Quota
from extract.base.settings import Settings
from extract.people.copies import without_people
from extract.people.kept_out import KeptOut
from extract.tables import TABLES, Row


def rows_by_id(kept_out: KeptOut) -> Callable[[str, Sequence[int]], list[Row]]:
    """A function that asks the API for the objects of a raw table by their ids.

    Args:
        kept_out: People of whom nothing is in the answer, as in what a run reads.

    Raises:
        MirrorError: Credentials are missing or refused, or the API is out of reach.
    """
    settings = Settings.load()
    client = FortyTwoClient(settings, Quota(settings.application, max_wait=60.0))
    client.auth.prepare_for_run()

    def ask(table: str, ids: Sequence[int]) -> list[Row]:
        rows = [without_people(row, kept_out) for row in ask_api(table, ids)]
        for row in rows:
            row.update((n, None) for n in TABLES[table].mentions if row[n] in kept_out)
        return rows

    def ask_api(table: str, ids: Sequence[int]) -> list[Row]:
        declared = TABLES[table]
        path = declared.path.format(cursus=settings.cursus_id)
        if declared.by_id:
            size = declared.page_size
            parts = (ids[start : start + size] for start in range(0, len(ids), size))
            filters = ({"filter[id]": ",".join(map(str, part))} for part in parts)
            return [row for only in filters for row in client.page(path, only, size=size).rows]
        rows: list[Row] = []  # without a filter: the whole list, which is a few pages
        number = 1
        while True:
            page = client.page(path, declared.params, number=number)
            rows += [row for row in page.rows if row.get("id") in ids]
            if len(page.rows) < page.per_page:
                return rows
            number += 1

    return ask
