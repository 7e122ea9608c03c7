"""Draw docs/scale.svg from runs of the simulation: how the backlog grows and drains, and the storm."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from benchmarks.simulation.coarse import Coarse
from benchmarks.simulation.settings import Settings
from benchmarks.simulation.storm import BEGIN, END, WAYS, storm

PICTURE = Path(__file__).parents[2] / "docs" / "scale.svg"
WIDTH, HEIGHT = 340, 210  # of a panel
LEFT, TOP, GAP = 58, 46, 84

# Readable on white and on black; the text follows the reader's colour scheme.
COLOURS = ("#3b82f6", "#e8590c", "#2f9e44")
STYLE = """
    text { font: 12px system-ui, sans-serif; fill: #444 }
    .title { font-weight: 600 }
    .axis { stroke: #888; fill: none }
    .grid { stroke: #888; stroke-opacity: .25 }
    .line { fill: none; stroke-width: 2 }
    @media (prefers-color-scheme: dark) { text { fill: #ccc } }
"""


class Axis(NamedTuple):
    label: str
    ticks: Sequence[tuple[float, str]]
    place: Callable[[float], float]  # from 0 to 1


class Line(NamedTuple):
    name: str
    points: Sequence[tuple[float, float]]


def linear(label: str, most: float, ticks: Sequence[tuple[float, str]]) -> Axis:
    return Axis(label, ticks, lambda value: value / most)


def logarithmic(label: str, least: float, most: float, ticks: Sequence[tuple[float, str]]) -> Axis:
    length = math.log(most / least)
    return Axis(label, ticks, lambda value: max(0.0, math.log(max(value, least) / least) / length))


def growth_lines() -> list[Line]:
    """Return what 100 ms messages in batches of 10 are handled at, by the arrival rate and by what was changed."""
    ways = {
        "as generated": Settings(),
        "no MaximumConcurrency": Settings(maximum_concurrency=None, account_concurrency=2000),
        "1,000 pollers": Settings(maximum_concurrency=None, account_concurrency=10_000, pollers=(200, 1000)),
    }
    lines = []
    for name, settings in ways.items():
        points = []
        for step in range(21):
            rate = 10 ** (step / 4)
            run = Coarse(replace(settings, rate=rate), tick=2)
            before = run.run(1800).totals.done
            points.append((rate, (run.run(60).totals.done - before) / 60))
        lines.append(Line(name, points))
    return lines


def storm_lines() -> list[Line]:
    """Return the messages that are not done, by the hours since the outage began."""
    lines = []
    for name in ("backoff of the template", "visibility timeout, 60 s"):
        course = storm(1000, WAYS[name]).course[::60]
        lines.append(Line(name, [((now - BEGIN) / 3600, waiting) for now, waiting, _ in course if now >= BEGIN]))
    return lines


def picture() -> str:
    powers = [(10.0**power, f"{10**power:,}") for power in range(0, 6)]
    rates = logarithmic("messages that arrive per second", 1, 1e5, powers)
    handled = logarithmic("", 1, 1e5, powers)
    hours = linear("hours since the outage began", 2.2, [(0, "0"), (1, "1"), (2, "2")])
    waiting = linear("", 4e6, [(value * 1e6, f"{value} M") for value in range(5)])
    width = LEFT + 2 * WIDTH + GAP + 16
    height = TOP + HEIGHT + 44
    outage = f'<rect x="0" y="0" width="{WIDTH * hours.place((END - BEGIN) / 3600):.0f}" height="{HEIGHT}" fill="#888" fill-opacity=".15"/>'  # noqa: E501
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
        "<title>What the stack handles by arrival rate, and the backlog of an outage of an hour</title>\n"
        f"<style>{STYLE}</style>\n"
        + panel(LEFT, "Handled per second, after half an hour", rates, handled, growth_lines())
        + panel(LEFT + WIDTH + GAP, "Not done: outage at 1,000 per second", hours, waiting, storm_lines(), outage)
        + "</svg>\n"
    )


def panel(left: float, title: str, across: Axis, up: Axis, lines: Sequence[Line], behind: str = "") -> str:
    parts = [f'<g transform="translate({left} {TOP})">', behind, f'<text class="title" x="0" y="-28">{title}</text>']
    for value, label in up.ticks:
        y = HEIGHT * (1 - up.place(value))
        parts.append(f'<path class="grid" d="M0 {y:.1f}H{WIDTH}"/>')
        parts.append(f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for value, label in across.ticks:
        x = WIDTH * across.place(value)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT + 16}" text-anchor="middle">{label}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT + 34}" text-anchor="middle">{across.label}</text>')
    parts.append(f'<path class="axis" d="M0 0V{HEIGHT}H{WIDTH}"/>')
    at = 0.0
    for line, colour in zip(lines, COLOURS, strict=False):
        points = [(WIDTH * across.place(x), HEIGHT * (1 - up.place(y))) for x, y in line.points]
        drawn = "L".join(f"{x:.1f} {y:.1f}" for x, y in points if x <= WIDTH)
        parts.append(f'<path class="line" stroke="{colour}" d="M{drawn}"/>')
        parts.append(f'<path class="line" stroke="{colour}" d="M{at:.0f} -12h14"/>')
        parts.append(f'<text x="{at + 18:.0f}" y="-8">{line.name}</text>')
        at += 34 + 6.3 * len(line.name)
    return "\n".join([*filter(None, parts), "</g>", ""])
