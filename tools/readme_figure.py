"""Draw the README's picture: ``python tools/readme_figure.py`` writes docs/images/gap_and_robustness.png.

Left, the ten digit texts and the digit images of miniclip-wide, before and after the paper's projected shift, in the
plane of the original gap. Right, exact robustness and accuracy while the gap closes.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import gapkit
from gapkit.geometry import gap_axes
from gapkit.plots import PALETTE, draw_clouds, styled
from gapkit.plots.style import png
from gapkit.tasks import accuracy, nearest

TARGET = Path(__file__).resolve().parent.parent / "docs" / "images" / "gap_and_robustness.png"
SIGMA = 0.02


@styled
def draw() -> Figure:
    """The picture, from the shipped embeddings."""
    figure = Figure(figsize=(10, 3.3), layout="constrained")
    before, after, right = figure.subplots(1, 3, width_ratios=[1, 1, 1.25])
    digits = gapkit.load_embeddings("miniclip-wide/digits10")
    closed = gapkit.GapCloser(alpha=1.0).fit(digits.texts, digits.images).transform(digits.texts)
    plane, origin = gap_axes(digits.texts, digits.images)
    for ax, texts, title in ((before, digits.texts, "a small CLIP"), (after, closed, "gap closed")):
        flat = (texts - origin) @ plane
        draw_clouds(ax, flat, (digits.images - origin) @ plane, size=20)
        ax.scatter(*flat.T, s=44, color=PALETTE["texts"], edgecolors="white", zorder=3)
        ax.set(title=title, xlabel="along the gap", xlim=(-0.5, 0.5), ylim=(-0.45, 0.45))
    before.set_ylabel("across it")
    before.legend(loc="upper center")
    alphas = np.linspace(0, 1, 11)
    for name, look in (("digits10", "-"), ("scenes100", "--")):
        entries = gapkit.load_embeddings(f"miniclip-wide/{name}")
        kept, right_answers = [], []
        for alpha in alphas:
            moved = gapkit.GapCloser(alpha=alpha).fit(entries.texts, entries.images).transform(entries.texts)
            kept.append(gapkit.robustness(entries.images, moved, sigma=SIGMA).mean())
            right_answers.append(accuracy(nearest(entries.images, moved), entries.labels))
        right.plot(alphas, right_answers, color=PALETTE["green"], linestyle=look, label=f"accuracy, {name}")
        right.plot(
            alphas,
            kept,
            color=PALETTE["pink"],
            linestyle=look,
            marker="s",
            markersize=4,
            label=f"robustness, {name}",
        )
    right.set(title=f"closing it: noise σ = {SIGMA}", xlabel="α, from untouched to closed", ylim=(0.5, 1.02))
    right.legend(loc="lower right", fontsize=8)
    return figure


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(png(draw(), dpi=120))
    print(f"wrote {TARGET.name}")
