"""What is in the hub, as figures: by label, by place on a map, and by quality over time."""

import io

import numpy as np

from lib.hub.datasets import selection
from lib.hub.intake import geocoding

INK, ACCENT, FAINT = "#33415c", "#c1121f", "#c9ced6"
MAX_LABELS = 40   # labels in a figure


def png(hub, account, name):
    """A figure of FIGURES as PNG bytes; LookupError where there is none of that name. It asks as this person."""
    if name not in FIGURES:
        raise LookupError(f"there is no figure {name[:60]!r}; there are {', '.join(FIGURES)}")
    buffer = io.BytesIO()
    FIGURES[name](hub, account).savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _figure(width, height):
    from matplotlib.figure import Figure

    return Figure((width, height), layout="constrained")


def labels(hub, account):
    """Accepted pictures of the commonest labels, those of their subtrees with them."""
    counts = selection.counts(hub, account)
    shown = sorted(counts, key=lambda name: (-counts[name], name))[:MAX_LABELS]
    figure = _figure(7, 1 + 0.22 * max(4, len(shown)))
    ax = figure.subplots()
    bars = ax.barh(shown, [counts[name] for name in shown], color=INK)
    ax.bar_label(bars, padding=3, fontsize=7)
    ax.invert_yaxis()
    ax.tick_params(axis="y", labelsize=8)
    ax.set(xlabel=f"accepted pictures ({len(shown)} of {len(counts)} labels)")
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def world(hub, account):
    """Where accepted pictures come from. The towns of the offline geocoder, as faint dots, are the map."""
    figure = _figure(9, 4.6)
    ax = figure.subplots()
    around = geocoding.towns()
    ax.scatter(around[:, 1], around[:, 0], s=0.6, color=FAINT, linewidths=0)
    there = [each for each in selection.places(hub, account) if each["latitude"] is not None]
    if there:
        counts = np.array([each["pictures"] for each in there], float)
        at = np.array([(each["longitude"], each["latitude"]) for each in there])
        ax.scatter(*at.T, s=14 + 260 * counts / counts.max(), color=ACCENT, alpha=0.55, linewidths=0)
        for each in _apart(sorted(there, key=lambda each: -each["pictures"])):
            ax.annotate(f"{each['city']} {each['pictures']}", (each["longitude"], each["latitude"]), fontsize=7,
                        xytext=(5, 3), textcoords="offset points", color=INK)
    ax.set(xlim=(-180, 180), ylim=(-58, 78), xlabel="longitude in degrees", ylabel="latitude in degrees", aspect="equal")
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def _apart(towns, most=12, away=12.0):
    """The first towns that lie so many degrees from each other, so that their names can be read."""
    chosen = []
    for town in towns:
        if len(chosen) < most and all(abs(town["latitude"] - each["latitude"]) + abs(town["longitude"] - each["longitude"]) / 3 > away
                                      for each in chosen):
            chosen.append(town)
    return chosen


def quality(hub, account):
    """The quality of accepted pictures, and how many came by day with their mean quality."""
    with hub.transaction(account, "browse") as cursor:
        cursor.execute("""SELECT width_bucket(quality, 0, 1.000001, 20), count(*) FROM hub.published
                          WHERE quality IS NOT NULL GROUP BY 1""")
        shares = dict(cursor.fetchall())
        cursor.execute("""SELECT created::date, count(*), avg(quality)::float8 FROM hub.published GROUP BY 1
                          ORDER BY 1 DESC LIMIT 90""")
        days = cursor.fetchall()[::-1]
    figure = _figure(9, 3)
    left, right = figure.subplots(1, 2)
    left.bar((np.arange(20) + 0.5) / 20, [shares.get(bucket, 0) for bucket in range(1, 21)], width=0.045, color=INK)
    left.set(xlabel="quality, 0 to 1", ylabel="accepted pictures", xlim=(0, 1))
    at = np.arange(len(days))
    right.bar(at, [count for _, count, _ in days], color=FAINT)
    right.set(ylabel="accepted pictures", xlabel="day they came", xlim=(-0.6, max(len(days), 7) - 0.4))
    step = max(1, len(days) // 6)
    right.set_xticks(at[::step], [day.strftime("%d %b") for day, _, _ in days[::step]])
    line = right.twinx()
    line.plot(at, [np.nan if mean is None else mean for _, _, mean in days], ".-", color=ACCENT)
    line.set(ylim=(0, 1.02))
    line.set_ylabel("mean quality", color=ACCENT)
    return figure


FIGURES = {"labels": labels, "world": world, "quality": quality}
