"""What a sync asks of dbt."""

from __future__ import annotations

from typing import Any

import pytest

from ops.sync import _without_unit_tests

NOW = {"raw": {"users": 300}, "models": "0123456789abcdef"}


@pytest.mark.parametrize(
    ("published", "left_out"),
    [
        (None, False),  # nothing is published, or by a bare dbt build
        ({"raw": {"users": 300}, "models": "edited"}, False),
        ({"raw": {"users": 299}, "models": "0123456789abcdef"}, True),
    ],
)
def test_unit_tests_run_until_the_models_they_prove_are_published(
    published: dict[str, Any] | None, left_out: bool
) -> None:
    expected = ["--exclude-resource-type", "unit_test"] if left_out else []
    assert _without_unit_tests(NOW, published) == expected
