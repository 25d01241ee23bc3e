"""The faults and what must come of them: the tests and docs/reliability.md both come from here.

python -m tests.faults.table --write      # bring the document's tables up to date
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from extract.tables import TABLES

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
Injection = dict[str, Any]


class Outcome(Enum):
    """What a person finds after the run with the fault; the words are the document's."""

    RECOVERED = "recovered, same rows"
    KEPT = "recovered; the unknown field is kept and reported once"
    CLEANED = "recovered; the text is cleaned and counted"
    MISSING = "recovered; the missing field is null and reported once"
    STOPPED = "stopped cleanly, the next run goes on"
    FAILED = "failed, exit 1, nothing loaded"
    DEGRADED = "degraded: the table as it was, the rest loaded, exit 0"
    REFUSED = "failed, exit 2, nothing loaded"


@dataclass(frozen=True)
class Target:
    """One kind of reading that each fault is tried on.

    Attributes:
        page: What every call's address on the list matches; `{n}` is the page's number.
        number: A field that holds a whole number; `text` one that holds text, `vital` one that the
            contract cannot do without, `optional` one that it can.
    """

    name: str
    table: str
    mode: str
    page: str
    number: str
    text: str
    vital: str
    optional: str

    def on_page(self, n: int | str) -> str:
        """A regular expression for the calls that ask for this page of the list."""
        return self.page.replace("{n}", str(n))


TARGETS = (
    Target(
        "reference list",
        "campus",
        "full",
        r"/v2/campus\?.*number%5D={n}&",
        "vogsphere_id",
        "address",
        "users_count",
        "website",
    ),
    Target(
        "user listing",
        "users",
        "full",
        r"/users\?.*primary_campus_id%5D=7&.*number%5D={n}&",
        "wallet",
        "displayname",
        "updated_at",
        "phone",
    ),
    Target(
        "relation backfill",
        "projects_users",
        "backfill",
        r"/v2/projects_users\?.*number%5D={n}&",
        "final_mark",
        "status",
        "updated_at",
        "retriable_at",
    ),
)


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Attributes:
        inject: Bodies for POST /_sandbox/faults. Without a `path` they strike page 2 of the list;
            `"number"`, `"text"`, `"vital"` and `"optional"` as `field` stand for the target's.
        outcome: For every target, or for each by its name.
        said: Regular expression that the message (of a failure) or the report has.
        patience: Constants of the code that the test shortens, so that it need not wait minutes.
        pause: Seconds that the page which was refused is not asked for again.
        kept: What the unknown field holds then, to the last digit.
    """

    name: str
    inject: tuple[Injection, ...]
    outcome: Outcome | Mapping[str, Outcome]
    said: str = ""
    patience: Mapping[str, float] = field(default_factory=dict)
    pause: float = 0.0
    kept: Any = None

    def outcome_of(self, target: Target) -> Outcome:
        """What must come of it when it strikes this target."""
        outcome = self.outcome if isinstance(self.outcome, Outcome) else self.outcome[target.name]
        optional = not TABLES[target.table].essential
        return Outcome.DEGRADED if optional and outcome is FAILED else outcome


def once(kind: str, **parameters: Any) -> tuple[Injection, ...]:
    """The fault strikes the first call for page 2."""
    return ({"kind": kind, **parameters},)


def always(kind: str, **parameters: Any) -> tuple[Injection, ...]:
    """The fault strikes every call for page 2."""
    return ({"kind": kind, "call": "every", **parameters},)


def with_new_token(kind: str, **parameters: Any) -> tuple[Injection, ...]:
    """The token expires in mid-listing, and then the token endpoint has the fault."""
    # the run's own first token is call 1
    return ({"kind": "token_expired"}, {"kind": kind, "call": 2, **parameters})


RECOVERED, FAILED, REFUSED = Outcome.RECOVERED, Outcome.FAILED, Outcome.REFUSED
HOURLY = {
    "reference list": RECOVERED,
    "user listing": RECOVERED,
    "relation backfill": Outcome.STOPPED,
}
EMPTY = {"kind": "empty_list", "path": "first", "call": "every", "total": 0}

FAULTS = (
    # -- who we are
    Fault("token expires in mid-listing (401)", once("token_expired"), RECOVERED),
    Fault("token revoked in mid-listing (401)", once("token_revoked"), RECOVERED),
    Fault(
        "every token refused (401 to a fresh one)",
        always("token_revoked"),
        REFUSED,
        r"401 with a fresh token",
    ),
    Fault("token endpoint 429, twice", with_new_token("token_429", times=2), RECOVERED),
    Fault("token endpoint 500, twice", with_new_token("token_500", times=2), RECOVERED),
    Fault("token endpoint down, twice", with_new_token("token_down", times=2), RECOVERED),
    Fault(
        "token endpoint down for good",
        with_new_token("token_down", times=999),
        FAILED,
        r"No token from .*/oauth/token",
    ),
    Fault(
        "token endpoint refuses the secret (401)",
        with_new_token("token_401", times=999),
        REFUSED,
        r"refuses the application's credentials.*FORTYTWO_CLIENT_SECRET",
    ),
    # -- the quota
    Fault(
        "429 of the second, `Retry-After`", once("429_second", retry_after=2), RECOVERED, pause=2.0
    ),
    Fault(
        "429 of the second, no `Retry-After`",
        once("429_second", retry_after=False),
        RECOVERED,
        pause=1.0,
    ),
    Fault("429 three times in a row", once("429_second", times=3), RECOVERED),
    Fault(
        "429 for ever",
        always("429_second"),
        FAILED,
        r"429, again and again",
        {"extract.api.client.ATTEMPTS_429": 2},
    ),
    Fault("429 of the hour, `Retry-After`", once("429_hour", retry_after=2), HOURLY, pause=2.0),
    Fault(
        "429 of the hour, no `Retry-After`",
        once("429_hour", retry_after=False),
        HOURLY,
        patience={"extract.api.quota.HOUR": 3.0},
        pause=1.0,
    ),
    # -- the servers in front and the network
    *(
        fault
        for status in (500, 502, 503, 504)
        for fault in (
            Fault(f"{status} with HTML", once(str(status), times=2), RECOVERED),
            Fault(
                f"{status} for ever", always(str(status), path="any"), FAILED, rf"status {status}"
            ),
        )
    ),
    Fault("Cloudflare's 403 with HTML", once("cloudflare_403"), RECOVERED),
    Fault("Cloudflare's 403 for ever", always("cloudflare_403"), FAILED, r"403 from the gateway"),
    Fault("403 without a body", once("empty_403"), RECOVERED),
    Fault("403 without a body for ever", always("empty_403"), FAILED, r"403 from the gateway"),
    Fault("403 Access Denied (JSON)", once("denied_403"), FAILED, r"answered 403 .*final"),
    Fault("200 with HTML", once("html_200"), RECOVERED),
    Fault("200 with HTML for ever", always("html_200"), FAILED, r"no whole JSON document"),
    Fault("200 with an object", once("object_200"), RECOVERED),
    Fault("200 with an object for ever", always("object_200"), FAILED, r"no list of objects"),
    Fault("truncated JSON", once("truncated_json"), RECOVERED),
    Fault("truncated JSON for ever", always("truncated_json"), FAILED, r"no whole JSON document"),
    Fault("reset before the body", once("reset_before_body"), RECOVERED),
    Fault("reset after the headers", once("reset_before_body", after_headers=True), RECOVERED),
    Fault("reset in the body", once("reset_in_body"), RECOVERED),
    Fault("reset for ever", always("reset_in_body"), FAILED, r"connection trouble"),
    Fault("a page that hangs", once("hang", seconds=3), RECOVERED),
    Fault(
        "a page that hangs for ever",
        always("hang", seconds=3, path="any"),
        FAILED,
        r"no answer in time",
        {"extract.api.client.ATTEMPTS": 1},
    ),
    Fault("a slow response", once("slow_drip", seconds=1), RECOVERED),
    Fault(
        "a response slower than the deadline",
        always("slow_drip", seconds=1.5, path="any"),
        FAILED,
        r"the response came too slowly",
        {"extract.api.response.LONGEST_RESPONSE": 0.5, "extract.api.client.ATTEMPTS": 1},
    ),
    Fault("gzip damage", once("gzip_damage"), RECOVERED),
    Fault("gzip damage for ever", always("gzip_damage"), FAILED, r"connection trouble"),
    # -- lists that do not add up
    Fault("no `X-Total` on one page", once("missing_total"), RECOVERED),
    Fault("no `X-Total` at all", always("missing_total", path="any"), RECOVERED),
    Fault("no `X-Total` and no `Link`", always("missing_total", link=False, path="any"), RECOVERED),
    Fault("wrong `X-Total` on one page", once("wrong_total"), RECOVERED),
    Fault(
        "`X-Total` too large for ever",
        always("wrong_total", path="any"),
        FAILED,
        r"never added up .* rows of \d+ came",
    ),
    Fault(
        "`X-Total` too small for ever",
        always("wrong_total", delta=-5, path="any"),
        FAILED,
        r"never added up",
    ),
    Fault("`Link` in odd order", always("link_shuffled", path="any"), RECOVERED),
    Fault("a page repeated", once("page_repeated"), RECOVERED),
    Fault("a page repeated for ever", always("page_repeated"), FAILED, r"rows came twice"),
    Fault("a row moved between pages", once("row_moved"), RECOVERED),
    Fault("a row always between pages", always("row_moved"), FAILED, r"rows came twice"),
    Fault("a row deleted while reading", once("row_deleted"), RECOVERED),
    Fault("an empty page in mid-list", once("empty_list"), RECOVERED),
    Fault("an empty page for ever", always("empty_list"), FAILED, r"rows of \d+ came"),
    Fault(
        "an empty list where rows were, `X-Total: 0`",
        (EMPTY,),
        FAILED,
        r"always has members|no longer lists",
    ),
    Fault("duplicate ids", once("duplicate_ids"), RECOVERED),
    Fault("duplicate ids for ever", always("duplicate_ids"), FAILED, r"rows came twice"),
    # -- payloads that are not what they were
    Fault(
        "null id", once("null_id"), FAILED, r"Contract test raw\.\w+\.id failed: .*null.*e\.g\. 42"
    ),
    Fault(
        "a string where a number was",
        once("string_for_number", field="number"),
        FAILED,
        r"Contract test raw\.\w+\.{number} failed: .*'{number}'.*a string.*e\.g\. 42",
    ),
    *(
        Fault(
            f"a number beyond 64 bits ({name})",
            once("huge_number", field="number", value=value),
            FAILED,
            r"Contract test raw\.\w+\.{number} failed: .*'{number}': the API sent .*"
            r"a whole number.*expected a whole number of at most 64 bits",
        )
        for name, value in (("2^63", 2**63), ("2^70", str(2**70)))
    ),
    Fault(
        "a number beyond 64 bits in a new field",
        once("huge_number", field="brand_new"),
        Outcome.KEPT,
        r"does not know yet: brand_new",
        kept=2**70,
    ),
    Fault(
        "a field that the mirror needs is gone",
        once("field_gone", field="vital"),
        FAILED,
        r"Contract test raw\.\w+\.{vital} failed: .*'{vital}'.*gone from the payload",
    ),
    Fault(
        "another field is gone",
        always("field_gone", field="optional", path="any"),
        Outcome.MISSING,
        r"no longer sends .*{optional}",
    ),
    Fault(
        "a new field",
        always("unknown_field", path="any"),
        Outcome.KEPT,
        r"does not know yet: brand_new",
        kept={"what": ["is", "this"]},
    ),
    Fault(
        "NUL in a text",
        once("nul_character", field="text"),
        Outcome.CLEANED,
        r"1 texts had NUL",
    ),
    Fault(
        "half a surrogate pair in a text",
        once("lone_surrogate", field="text"),
        Outcome.CLEANED,
        r"1 texts had NUL or broken Unicode",
    ),
    Fault("10,000 nested lists", once("deep_nesting"), RECOVERED),
    Fault(
        "10,000 nested lists for ever", always("deep_nesting"), FAILED, r"no whole JSON document"
    ),
    Fault(
        "900 nested lists in a new field",
        once("deep_nesting", depth=900),
        Outcome.KEPT,
        r"does not know yet: nested",
    ),
    Fault("a 50 MB page", once("big_page"), Outcome.KEPT, r"does not know yet: padding"),
    Fault(
        "a page beyond the size limit (256 MiB; here 1)",
        always("big_page", bytes=3 << 20, path="any"),
        FAILED,
        r"a page of more than 1 MiB",
        {"extract.api.response.LARGEST_BODY": 1 << 20, "extract.api.client.ATTEMPTS": 1},
    ),
)


def outcome_in_words(fault: Fault) -> str:
    """One outcome, or which target has which."""
    targets: dict[str, list[str]] = {}
    for target in TARGETS:
        targets.setdefault(fault.outcome_of(target).value, []).append(target.name)
    if len(targets) == 1:
        return next(iter(targets))
    return "; ".join(f"{', '.join(names)}: {words}" for words, names in targets.items())


def api_table() -> str:
    """Fault and outcome, as markdown."""
    lines = ["| fault | outcome |", "|---|---|"]
    lines += [f"| {fault.name} | {outcome_in_words(fault)} |" for fault in FAULTS]
    return "\n".join(lines)


def block(name: str, content: str) -> str:
    """The content between the marks that the document has around it."""
    return f"<!-- {name}: from tests/faults/table.py -->\n{content}\n<!-- end {name} -->"


def written(document: str) -> str:
    """The document with its table brought up to date."""
    start = document.index("<!-- faults:")
    mark = "<!-- end faults -->"
    end = document.index(mark) + len(mark)
    return document[:start] + block("faults", api_table()) + document[end:]


if __name__ == "__main__":
    if "--write" in sys.argv:
        DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(api_table())
