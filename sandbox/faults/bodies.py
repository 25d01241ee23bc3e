"""Damaged pages: each function takes the JSON text of a page and returns a worse one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

Params = dict[str, Any]
Row = dict[str, Any]

_MARK = "sandbox"


def _edit(body: bytes, params: Params, change: Callable[[Row], None], every: bool) -> bytes:
    page = orjson.loads(body)
    rows = page if isinstance(page, list) else [page]
    if not rows:
        return body
    if every or params.get("rows") == "all":
        chosen = rows
    else:
        chosen = [rows[int(params.get("row", 0)) % len(rows)]]
    for row in chosen:
        change(row)
    return orjson.dumps(page)


def _numeric_field(row: Row) -> str:
    return next((k for k, v in row.items() if type(v) in (int, float) and k != "id"), "id")


def _text_field(row: Row) -> str:
    return next((k for k, v in row.items() if isinstance(v, str) and not k.endswith("_at")), "name")


def _put(
    value: Any, default: Callable[[Row], str], every: bool = False
) -> Callable[[bytes, Params], bytes]:
    def edit(body: bytes, params: Params) -> bytes:
        def change(row: Row) -> None:
            row[params.get("field") or default(row)] = params.get("value", value)

        return _edit(body, params, change, every)

    return edit


def _put_text(
    text: Callable[[Params], bytes], default: Callable[[Row], str]
) -> Callable[[bytes, Params], bytes]:
    """Put JSON text that no encoder would write in a field's place."""

    def edit(body: bytes, params: Params) -> bytes:
        def change(row: Row) -> None:
            row[params.get("field") or default(row)] = _MARK

        edited = _edit(body, params, change, every=False)
        return edited.replace(f'"{_MARK}"'.encode(), text(params))

    return edit


def _duplicate(body: bytes, params: Params) -> bytes:
    rows = orjson.loads(body)
    if len(rows) > 1:
        rows[1]["id"] = rows[0]["id"]
    return orjson.dumps(rows)


def _drop(body: bytes, params: Params) -> bytes:
    def change(row: Row) -> None:
        row.pop(params.get("field", "updated_at"), None)

    return _edit(body, params, change, every="row" not in params)


def _pad(body: bytes, params: Params) -> bytes:
    size = int(params.get("bytes", 50 * 1024 * 1024))

    def change(row: Row) -> None:
        row["padding"] = "x" * max(size - len(body), 0)

    return _edit(body, params, change, every=False)


def _nest(params: Params) -> bytes:
    depth = int(params.get("depth", 10_000))
    return b"[" * depth + b"]" * depth


EDITS: dict[str, Callable[[bytes, Params], bytes]] = {
    "truncated_json": lambda body, params: body[: int(len(body) * params.get("part", 0.5))],
    "empty_list": lambda body, params: b"[]",
    "duplicate_ids": _duplicate,
    "null_id": _put(None, lambda row: "id"),
    "string_for_number": _put("a lot", _numeric_field),
    "unknown_field": _put({"what": ["is", "this"]}, lambda row: "brand_new", every=True),
    "set_field": _put(None, _text_field),
    "field_gone": _drop,
    "huge_number": _put_text(
        lambda params: str(params.get("value", 2**70)).encode(), _numeric_field
    ),
    "nul_character": _put("be\x00fore", _text_field),
    "lone_surrogate": _put_text(lambda params: b'"half \\ud800 pair"', _text_field),
    "deep_nesting": _put_text(_nest, lambda row: "nested"),
    "big_page": _pad,
}
