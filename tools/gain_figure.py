"""Draw the README's first picture: ``python tools/gain_figure.py`` writes docs/images/gain_and_gap.png.

What closing the gap gains against how wide it is: published models (recorded figures, galleries of ten pairs) and every
seed of the mini-CLIPs (ten digits, measured now), at noise that leaves 70 % of the answers untouched.
"""

from pathlib import Path

import pandas as pd

from gapkit.embeddings import list_embeddings, recorded_figures
from gapkit.experiments import Job
from gapkit.experiments.record import experiment
from gapkit.plots import plot_scatter
from gapkit.plots.style import png

TARGET = Path(__file__).resolve().parent.parent / "docs" / "images" / "gain_and_gap.png"
LEVEL = "untouched 0.7"


def mini_clips() -> pd.DataFrame:
    """Gap and gain of every trained run on the digits."""
    names = [name.partition("/")[0] for name in list_embeddings() if name.endswith("/digits10")]
    jobs = [Job("family", name, "digits10") for name in names if "random" not in name]
    rows = [row for job in jobs for row in experiment("family").measure(job)["family"]]
    return pd.DataFrame(rows).assign(name="mini-CLIPs of this course")


def draw():
    """The picture, from recorded and from shipped figures."""
    real = recorded_figures()
    table = pd.concat([mini_clips(), real.assign(name=real["model"])])
    return plot_scatter(
        table[table["level"] == LEVEL],
        "gap_norm",
        "gain",
        by="name",
        xlabel="‖g‖, width of the gap",
        ylabel="gain in robustness",
        title="what closing gains, 10 candidates",
    ).figure


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(png(draw(), dpi=120))
    print(f"wrote {TARGET.name}")
