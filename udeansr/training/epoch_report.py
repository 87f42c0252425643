"""What a person is told during an epoch and after it: a bar and a line. Knows words; writes no file."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

_WATCHED_SECONDS, _UNWATCHED_SECONDS = 0.5, 30.0
"""Between two states of the bar: at a terminal, and where it goes to a file or a queue's log."""


def epoch_bar(epoch: int, epochs: int, done: int, iterations: int) -> tqdm:
    """The bar of one epoch, with its ETA.

    Args:
        epoch: its number, from 1.
        epochs: in all.
        done: iterations of it that an earlier call did.
        iterations: it has.
    """
    return tqdm(
        total=iterations,
        initial=done,
        desc=f"epoch {epoch}/{epochs}",
        mininterval=_WATCHED_SECONDS if sys.stderr.isatty() else _UNWATCHED_SECONDS,
        leave=False,
    )


def show_losses(bar: tqdm, losses: dict[str, float]) -> None:
    """Put each player's sum of losses at the end of the bar, and count one iteration."""
    bar.set_postfix_str(", ".join(f"{player} {loss:.4f}" for player, loss in by_player(losses).items()), refresh=False)
    bar.update()


def epoch_line(entry: dict[str, Any], epochs: int, seconds_left: float = float("inf")) -> str:
    """One epoch in one line.

    Args:
        entry: its line of ``metrics.jsonl``.
        epochs: in all.
        seconds_left: after which training ends, whatever is left to do.
    """
    scores, seconds = entry["validation"], entry["seconds"]
    parts = [f"{player} {loss:.4f}" for player, loss in by_player(entry["losses"]).items()]
    parts += [f"{name} {value:.4f}" for name, value in scores.items() if isinstance(value, float)]
    parts.append("shift " + " ".join(f"{number:.3f}" for number in scores["shift_voxels"]) + " HR voxels")
    spent = sum(seconds.values())
    times = f"{duration(spent)} ({duration(seconds['waiting'])} waiting for data)"
    left = max(0.0, min((epochs - entry["epoch"]) * spent, seconds_left))
    ahead = f", about {duration(left)} left" if left and entry["epoch"] else ""
    return f"epoch {entry['epoch']}/{epochs}: {', '.join(parts)}; lr {entry['lr']:.2g}; {times}{ahead}"


def by_player(losses: dict[str, float]) -> dict[str, float]:
    """The sum of losses of each player, from losses named ``player.loss``."""
    sums: dict[str, float] = {}
    for name, loss in losses.items():
        player = name.split(".")[0]
        sums[player] = sums.get(player, 0.0) + loss
    return sums


def duration(seconds: float) -> str:
    """A time in words: 42 s, 3 min, 2 h 05 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
