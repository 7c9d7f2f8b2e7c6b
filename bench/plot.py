"""Curves as SVG: small pictures side by side, logarithmic from left to right, from zero upwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

import attrs

WIDTH: Final = 320
HEIGHT: Final = 220
LEFT: Final = 62
TOP: Final = 34
RIGHT: Final = 16
BOTTOM: Final = 34


@attrs.frozen
class Curve:
    """What was measured at which points; `unit` is that of the measured."""

    title: str
    unit: str
    points: Sequence[tuple[float, float]]


def draw(curves: Sequence[Curve], *, columns: int = 3) -> str:
    """All curves in one picture."""
    rows = math.ceil(len(curves) / columns)
    width, height = columns * WIDTH, rows * HEIGHT
    pictures = "".join(
        f'<g transform="translate({index % columns * WIDTH} {index // columns * HEIGHT})">{_picture(curve)}</g>\n'
        for index, curve in enumerate(curves)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="11">\n<rect width="{width}" height="{height}" fill="white"/>\n{pictures}</svg>\n'
    )


def short(value: float) -> str:
    """1048576 -> 1M, 250 -> 250: for the axes."""
    for size, sign in ((1_000_000, "M"), (1000, "k")):
        if value >= size:
            return f"{value / size:.3g}{sign}"
    return f"{value:.3g}"


def _picture(curve: Curve) -> str:
    places = [math.log10(x + 1) for x, _ in curve.points]
    least, span = min(places), (max(places) - min(places)) or 1.0
    most = max(y for _, y in curve.points) * 1.1 or 1.0
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def down(y: float) -> float:
        return TOP + inner_height * (1 - y / most)

    across = [LEFT + inner_width * (place - least) / span for place in places]
    line = " ".join(f"{x:.1f},{down(y):.1f}" for x, (_, y) in zip(across, curve.points, strict=True))
    parts = [f'<text x="{LEFT}" y="18" font-weight="bold">{escape(curve.title)}</text>']
    for part in range(5):
        value = most * part / 4
        parts.append(f'<path d="M{LEFT} {down(value):.1f}h{inner_width}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 4}" y="{down(value) + 4:.1f}" text-anchor="end">{short(value)}</text>')
    parts.append(f'<text x="{LEFT - 4}" y="{TOP - 6}" text-anchor="end" fill="#666">{escape(curve.unit)}</text>')
    parts.append(f'<polyline points="{line}" fill="none" stroke="#06c" stroke-width="2"/>')
    for x, (value, y) in zip(across, curve.points, strict=True):
        parts.append(f'<circle cx="{x:.1f}" cy="{down(y):.1f}" r="3" fill="#06c"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{short(value)}</text>')
    return "".join(parts)
