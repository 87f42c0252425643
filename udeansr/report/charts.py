"""Charts as SVG within a page: they take its colours, light or dark, and any width."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup, escape

WIDTH, HEIGHT = 380, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 10, 12, 56
KINDS = 4
"""Of lines, by colour and by dashes: what is told apart needs no colour."""

_LARGEST = 1e300
"""What is beyond it, infinite or no number is not drawn."""

Points = Sequence[tuple[float, float]]
Place = Callable[[float, float], tuple[float, float]]


def line_chart(
    title: str,
    curves: Mapping[str, Points],
    x_label: str,
    y_label: str,
    marks: Mapping[str, float] | None = None,
    log_y: bool = False,
    from_zero: bool = False,
) -> Markup:
    """Lines over an axis.

    Args:
        title: read aloud, and shown.
        curves: points by name; what is no finite number is left out.
        x_label: with the unit.
        y_label: with the unit.
        marks: upright lines, by name.
        log_y: whether y is drawn by its logarithm; what is not positive is left out.
        from_zero: whether the axis of y begins at 0, so that a small difference looks small.
    Returns: the SVG, or words where there is nothing to draw.
    """
    kept = {name: [(x, y) for x, y in points if _drawn(x, y, log_y)] for name, points in curves.items()}
    kept = {name: points for name, points in kept.items() if points}
    everything = [point for points in kept.values() for point in points]
    if not everything:
        return Markup("<p class='soft'>{}: nothing to draw.</p>").format(title)
    value = math.log10 if log_y else float
    low_x, high_x = _ends([x for x, _ in everything])
    low_y, high_y = _ends([*(value(y) for _, y in everything), *([0.0] if from_zero else [])], 0.05)

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = (x - low_x) / (high_x - low_x), (y - low_y) / (high_y - low_y)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    parts = [_axes(place, (low_x, high_x), (low_y, high_y), log_y)]
    for name, x in (marks or {}).items():
        if low_x <= x <= high_x:
            at = place(x, low_y)[0]
            parts.append(f'<path class="axis" stroke-dasharray="2 4" d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
            parts.append(f'<text x="{at + 3:.1f}" y="{TOP + 9}">{escape(name)}</text>')
    for number, (name, points) in enumerate(kept.items()):
        drawn = " ".join("{:.1f},{:.1f}".format(*place(x, value(y))) for x, y in points)
        kind = f"s{number % KINDS}"
        parts.append(f'<polyline class="curve {kind}" points="{drawn}"><title>{escape(name)}</title></polyline>')
        if len(points) == 1:
            x, y = place(points[0][0], value(points[0][1]))
            parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
    parts.append(_words(x_label, y_label, list(kept)))
    return _svg(title, "".join(parts))


def strip_chart(title: str, values: Mapping[str, float], unit: str) -> Markup:
    """The distribution of a number over cases: a dot a case, the median as a line."""
    known = {name: value for name, value in values.items() if math.isfinite(value)}
    if not known:
        return Markup("<p class='soft'>{}: no case has a number.</p>").format(title)
    low, high = _ends(list(known.values()), 0.08)
    height, base = 92, 52

    def place(value: float) -> float:
        return 14 + (value - low) / (high - low) * (WIDTH - 28)

    ordered = sorted(known.values())
    half = len(ordered) // 2
    median = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    parts = [f'<path class="axis" d="M14 {base}H{WIDTH - 14}"/>']
    parts += [
        f'<circle class="s0" cx="{place(value):.1f}" cy="{base - 8 - 9 * (number % 3)}" r="4" fill-opacity=".75">'
        f"<title>{escape(name)}: {value:.4g}</title></circle>"
        for number, (name, value) in enumerate(known.items())
    ]
    parts.append(f'<path class="axis" stroke-width="2" d="M{place(median):.1f} {base - 36}V{base + 5}"/>')
    parts += [
        f'<text x="{place(tick):.1f}" y="{base + 15}" text-anchor="middle">{tick:g}</text>'
        for tick in _ticks(low, high)
    ]
    words = f"{title}: median {median:.4g}{' ' + unit if unit else ''}, {len(known)} cases"
    parts.append(f'<text x="{WIDTH / 2}" y="{height - 6}" text-anchor="middle">{escape(words)}</text>')
    return _svg(words, "".join(parts), height)


def rows_chart(title: str, rows: Mapping[str, Mapping[str, float]], unit: str) -> Markup:
    """A number of several rows over one axis: a dot a case, the mean as a line; the names of rows above their dots."""
    known = {row: [(n, v) for n, v in values.items() if math.isfinite(v)] for row, values in rows.items()}
    everything = [value for values in known.values() for _, value in values]
    if not everything:
        return Markup("<p class='soft'>{}: no case has a number.</p>").format(title)
    low, high = _ends(everything, 0.05)
    step, base = 30, 10 + 30 * len(known)

    def place(value: float) -> float:
        return 14 + (value - low) / (high - low) * (WIDTH - 28)

    parts = []
    for tick in _ticks(low, high):
        parts.append(f'<path class="grid" d="M{place(tick):.1f} 6V{base}"/>')
        parts.append(f'<text x="{place(tick):.1f}" y="{base + 14}" text-anchor="middle">{tick:g}</text>')
    for number, (row, values) in enumerate(known.items()):
        y = 10 + step * number
        parts.append(f'<text x="14" y="{y + 10}">{escape(row)}</text>')
        parts += [
            f'<circle class="s0" cx="{place(value):.1f}" cy="{y + 20}" r="3.5" fill-opacity=".6">'
            f"<title>{escape(name)}: {value:.4g}</title></circle>"
            for name, value in values
        ]
        if values:
            mean = place(sum(value for _, value in values) / len(values))
            parts.append(f'<path class="axis" stroke-width="2" d="M{mean:.1f} {y + 14}V{y + 27}"/>')
    words = f"{title}{', ' + unit if unit else ''}"
    parts.append(f'<text x="{WIDTH / 2}" y="{base + 30}" text-anchor="middle">{escape(words)}</text>')
    return _svg(words, "".join(parts), base + 36)


def _drawn(x: float, y: float, log_y: bool) -> bool:
    return all(abs(value) <= _LARGEST for value in (x, y)) and (y > 0 or not log_y)


def _ends(values: Sequence[float], margin: float = 0.0) -> tuple[float, float]:
    low, high = min(values), max(values)
    if low == high:
        room = abs(low) * 0.05 or 0.5
        return low - room, high + room
    return low - margin * (high - low), high + margin * (high - low)


def _ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers between two ends."""
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(step * number, 12) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _axes(place: Place, xs: tuple[float, float], ys: tuple[float, float], log_y: bool) -> str:
    parts = [f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>']
    for tick in _ticks(*ys):
        y = place(xs[0], tick)[1]
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        label = f"{10**tick:.2g}" if log_y else f"{tick:g}"
        parts.append(f'<text x="{LEFT - 4}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for tick in _ticks(*xs):
        x = place(tick, ys[0])[0]
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{tick:g}</text>')
    return "".join(parts)


def _words(x_label: str, y_label: str, names: Sequence[str]) -> str:
    parts = [
        f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - BOTTOM + 28}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text x="11" y="{(HEIGHT - BOTTOM + TOP) / 2}" text-anchor="middle" '
        f'transform="rotate(-90 11 {(HEIGHT - BOTTOM + TOP) / 2})">{escape(y_label)}</text>',
    ]
    wide = (WIDTH - LEFT) / max(len(names), 1)
    for number, name in enumerate(names):
        x, y = LEFT + number * wide, HEIGHT - 10
        parts.append(f'<path class="curve s{number % KINDS}" d="M{x:.1f} {y - 4}h24"/>')
        parts.append(f'<text x="{x + 28:.1f}" y="{y}">{escape(name)}</text>')
    return "".join(parts)


def _svg(title: str, inner: str, height: int = HEIGHT) -> Markup:
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f"{inner}</svg>"
    )
