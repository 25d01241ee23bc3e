"""Where commands print what people read."""

from typing import Any

from rich.console import Console


def make_console(**options: Any) -> Console:
    """A console that prints figures, paths and addresses as they are.

    Args:
        options: Others of rich's, such as `markup=False` for a command that prints free text.
    """
    # the :b: of the address fd00::a:b:1 would be an emoji's name
    return Console(emoji=False, highlight=False, **options)
