"""The frame that the charts share: size, data, legend, axes."""

from datetime import datetime
from typing import Any

from ops.site.history import Row

Spec = dict[str, Any]
ONE_LINE = 24  # letters of a legend that fit beside each other on a phone


def chart(title: str, values: list[Row], *, mark: Spec, encoding: Spec, height: int = 230) -> Spec:
    """One kind of mark."""
    return _base(title, values, height) | {"mark": mark, "encoding": encoding}


def layers(title: str, values: list[Row], *, layers: list[Spec], height: int = 230) -> Spec:
    """Several kinds of marks on the same data."""
    return _base(title, values, height) | {"layer": layers}


def bars(
    title: str,
    values: list[Row],
    name: str,
    value: Spec,
    *,
    y: Spec,
    colour: str,
    scale: Spec | None = None,
    height: int = 230,
) -> Spec:
    """Horizontal bars; names stand above them, for narrow pages, and figures at the right."""
    text = {"type": "text", "baseline": "bottom", "dy": 2, "color": "@text"}
    bar = {"type": "bar", "cornerRadius": 2, "height": 7, "yOffset": 9, "color": colour}
    x = field(value["field"], "quantitative", axis=None, scale=scale or {})
    return layers(
        title,
        values,
        height=height,
        layers=[
            {"mark": bar, "encoding": {"x": x, "y": y, "tooltip": [{"field": name}, value]}},
            {
                "mark": {**text, "align": "left", "limit": {"expr": "width - 64"}},
                "encoding": {"x": {"value": 0}, "y": y, "text": {"field": name}},
            },
            {
                "mark": {**text, "align": "right"},
                "encoding": {"x": {"value": "width"}, "y": y, "text": value},
            },
        ],
    )


def _base(title: str, values: list[Row], height: int) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": title,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"values": values},
    }


def field(name: str, kind: str, **more: Any) -> Spec:
    """A field of the data and its type: quantitative, temporal, ordinal or nominal."""
    return {"field": name, "type": kind, **more}


def count(name: str) -> Spec:
    """A field of whole numbers."""
    return field(name, "quantitative", format=",d")


def legend(name: str, colours: dict[str, str]) -> Spec:
    """Colours by a field, named above the chart."""
    columns = len(colours) if sum(map(len, colours)) <= ONE_LINE else 2
    return field(
        name,
        "nominal",
        scale={"domain": list(colours), "range": list(colours.values())},
        legend={"title": None, "orient": "top", "columns": columns},
    )


def numbers(title: str) -> Spec:
    """A vertical axis of counts or seconds."""
    return {
        "title": title,
        "tickCount": 5,
        "labelExpr": "datum.value < 100000 ? format(datum.value, ',') : format(datum.value, '~s')",
    }


def iso(moment: datetime) -> str:
    """A moment as Vega reads it."""
    return moment.isoformat(timespec="seconds")
