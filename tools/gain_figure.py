"""Draw the README's first picture: ``python tools/gain_figure.py`` writes docs/images/gain_and_gap.png.

What closing the gap gains against how wide it is: published models (recorded figures, galleries of ten pairs) and every
seed of the mini-CLIPs (ten digits, measured now), at noise that leaves 70 % of the answers untouched. The groups differ
in shape and filling as well as in colour, and each published model has its name beside it.
"""

from pathlib import Path

import pandas as pd

from gapkit.embeddings import list_embeddings, recorded_figures
from gapkit.experiments import Job
from gapkit.experiments.record import experiment
from gapkit.plots.style import PALETTE, canvas, legend_below, png, styled

TARGET = Path(__file__).resolve().parent.parent / "docs" / "images" / "gain_and_gap.png"
LEVEL = "untouched 0.7"
WIDE = 0.5
"""From this ‖g‖ on a gap is called wide: no published model lies between 0.3 and 0.8."""
LOOKS = {
    "published, wide gap": {"marker": "s", "color": PALETTE["texts"]},
    "published, narrow gap": {"marker": "^", "color": PALETTE["images"], "markersize": 7},
    "mini-CLIPs of this course": {"marker": "o", "color": PALETTE["grey"], "markerfacecolor": "white"},
}
PLACES = {
    "CLIP ViT-B/16": (-8, 5, "right"),
    "CLIP RN50": (-8, -3, "right"),
    "CLASP": (8, -5, "left"),
    "CLOOB": (-1, 11, "center"),
    "CLOOB-LAION": (9, 0, "left"),
}
"""Where a name goes, in points from its model, if not to the right of it."""


def mini_clips() -> pd.DataFrame:
    """Gap and gain of every trained run on the digits."""
    names = [name.partition("/")[0] for name in list_embeddings() if name.endswith("/digits10")]
    jobs = [Job("family", name, "digits10") for name in names if "random" not in name]
    rows = [row for job in jobs for row in experiment("family").measure(job)["family"]]
    return pd.DataFrame(rows).assign(group="mini-CLIPs of this course")


@styled
def draw(mini: pd.DataFrame, real: pd.DataFrame):
    """The picture, from what was measured and what is recorded."""
    group = (real["gap_norm"] >= WIDE).map({True: "published, wide gap", False: "published, narrow gap"})
    table = pd.concat([mini, real.assign(group=group)])
    ax = canvas(width=5.4, height=3.8)
    for name, look in LOOKS.items():
        rows = table[(table["group"] == name) & (table["level"] == LEVEL)]
        error = [rows["gain"] - rows["gain_low"], rows["gain_high"] - rows["gain"]]
        look = {"markersize": 6, "linestyle": "none", "zorder": 2 if "mini" in name else 3} | look
        ax.errorbar(rows["gap_norm"], rows["gain"], error, elinewidth=1.3, label=name, **look)
        for row in rows.dropna(subset="model").itertuples() if name != "mini-CLIPs of this course" else ():
            right, up, align = PLACES.get(row.model, (7, 0, "left"))
            place = {"xytext": (right, up), "textcoords": "offset points", "ha": align, "va": "center"}
            ax.annotate(row.model, (row.gap_norm, row.gain), fontsize=10, **place)
    ax.axhline(0, color=PALETTE["grey"], linewidth=1, zorder=1)
    ax.set(xlabel="width of the gap, ‖g‖", ylabel="gain in robustness", xlim=(0.15, 1.3))
    ax.set_title("What closing the gap gains, 10 candidates")
    ax.tick_params(labelsize=10)
    legend_below(ax)
    return ax


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(png(draw(mini_clips(), recorded_figures()).figure, dpi=120))
    print(f"wrote {TARGET.name}")
