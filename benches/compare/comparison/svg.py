"""Drawing: bars in panels, and curves of percentiles, as SVG."""

import math
from html import escape

WIDTH = 760
FONT = "font-family='system-ui, sans-serif'"
INK, FAINT = "#1f2933", "#d5dbe1"
COLOURS = {"forebay": "#0b6bcb", "bare": "#7b8794", "bento": "#d9730d", "librdkafka": "#2f8f4e"}


def words(x, y, text, size=12, anchor="start", colour=INK, weight="normal"):
    """One line of text."""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' text-anchor='{anchor}' "
        f"fill='{colour}' font-weight='{weight}'>{escape(text)}</text>"
    )


def picture(height, title, parts):
    """A whole file."""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' "
        f"width='{WIDTH}' height='{height}' {FONT} role='img'>\n<title>{escape(title)}</title>\n"
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>\n"
        + words(16, 26, title, 15, weight="600")
        + "\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def bars(title, panels, unit):
    """Horizontal bars; each panel, (name, [(key, label, value)]), has its own scale."""
    left, right, step, y = 170, WIDTH - 130, 22, 52
    parts = []
    for name, entries in panels:
        parts.append(words(16, y, name, 12, weight="600"))
        y += 12
        largest = max(value for _, _, value in entries) or 1
        for key, label, value in entries:
            width = max(1.0, value / largest * (right - left))
            parts.append(words(left - 8, y + 12, label, anchor="end"))
            parts.append(
                f"<rect x='{left}' y='{y}' width='{width:.1f}' height='16' rx='2' "
                f"fill='{COLOURS[key]}'/>"
            )
            parts.append(words(left + width + 6, y + 12, f"{figure(value)} {unit}"))
            y += step
        y += 18
    return picture(y, title, parts)


def figure(value):
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def curves(title, panels):
    """Latencies over percentiles; each panel, (name, [(key, label, points)]), with
    points (percentile, ms)."""
    left, right, tall, y = 64, WIDTH - 24, 170, 52
    parts = []
    for name, lines in panels:
        parts.append(words(16, y, name, 12, weight="600"))
        top, bottom = y + 14, y + 14 + tall
        every = [ms for _, _, points in lines for _, ms in points if ms > 0]
        low = 10 ** math.floor(math.log10(min(every)))
        high = 10 ** math.ceil(math.log10(max(every) * 1.01))

        def across(percentile):
            # 50 % at the left, then as far again for each further nine.
            nines = math.log10(50 / max(0.005, 100 - percentile))
            return left + min(1.0, max(0.0, nines / 4)) * (right - left)

        def up(ms, low=low, high=high, bottom=bottom, top=top):
            part = (math.log10(max(ms, low)) - math.log10(low)) / math.log10(high / low)
            return bottom - part * (bottom - top)

        parts += grid(low, high, up, across, (left, right, top, bottom))
        for number, (key, label, points) in enumerate(lines):
            shown = [(p, ms) for p, ms in points if p >= 50 and ms > 0]
            path = " ".join(f"{across(p):.1f},{up(ms):.1f}" for p, ms in shown)
            parts.append(
                f"<polyline points='{path}' fill='none' stroke='{COLOURS[key]}' stroke-width='2'/>"
            )
            place = right - 110 * (len(lines) - 1 - number)
            parts.append(words(place, y, label, anchor="end", colour=COLOURS[key], weight="600"))
        y = bottom + 44
    return picture(y, title, parts)


def grid(low, high, up, across, frame):
    """Lines at powers of ten, and at percentiles."""
    left, right, top, bottom = frame
    parts = []
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        y = up(10.0**power)
        parts.append(f"<line x1='{left}' x2='{right}' y1='{y:.1f}' y2='{y:.1f}' stroke='{FAINT}'/>")
        parts.append(words(left - 6, y + 4, f"{10.0**power:g} ms", 11, "end"))
    for percentile in (50, 90, 99, 99.9, 99.99):
        x = across(percentile)
        parts.append(f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{top}' y2='{bottom}' stroke='{FAINT}'/>")
        parts.append(words(x, bottom + 16, f"p{percentile:g}", 11, "middle"))
    return parts
