"""The projects that everybody at 42 knows: numbers, names and slugs as the real API has them."""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """A project by its real number; `team` is how many people it is for."""

    id: int
    name: str
    slug: str
    team: int = 1


# What every student meets first, in order.
CORE = (
    Known(1314, "Libft", "42cursus-libft"),
    Known(1316, "ft_printf", "42cursus-ft_printf"),
    Known(1327, "get_next_line", "42cursus-get_next_line"),
    Known(1994, "Born2beroot", "born2beroot"),
    Known(1471, "push_swap", "42cursus-push_swap"),
    Known(2005, "minitalk", "minitalk"),
    Known(2009, "so_long", "so_long"),
    Known(1334, "Philosophers", "42cursus-philosophers"),
    Known(1331, "minishell", "42cursus-minishell", 2),
    Known(1326, "cub3d", "cub3d", 2),
    Known(1332, "webserv", "webserv", 3),
    Known(1337, "ft_transcendence", "ft_transcendence", 5),
)
FURTHER = (
    Known(2004, "pipex", "pipex"),
    Known(2008, "FdF", "42cursus-fdf"),
    Known(1476, "fract-ol", "42cursus-fract-ol"),
    Known(1315, "miniRT", "minirt", 2),
    Known(2007, "NetPractice", "netpractice"),
    Known(1983, "Inception", "inception"),
    Known(1336, "ft_irc", "ft_irc", 3),
    *(Known(1338 + n, f"CPP Module {n:02d}", f"cpp-module-{n:02d}") for n in range(9)),
    Known(2309, "CPP Module 09", "cpp-module-09"),
    *(Known(1318 + n, f"Exam Rank {n:02d}", f"exam-rank-{n:02d}") for n in range(2, 7)),
)
IDS = frozenset(known.id for known in (*CORE, *FURTHER))
