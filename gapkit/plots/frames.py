"""Single moments of a recorded run, drawn fast enough to scrub through them."""

from collections.abc import Sequence

import numpy as np

from gapkit.contrastive import Trajectory
from gapkit.errors import InputError
from gapkit.plots.dynamics import series, step_axis
from gapkit.plots.film import Film
from gapkit.plots.geometry import draw_clouds, gap_plane
from gapkit.plots.style import MARKERS, PALETTE, canvas, styled

_FOLLOWED = {
    "gap": ("gap ‖g‖ (embedding units)", "gap", "-"),
    "variance": ("images' variance along g (1 = isotropic)", "green", "--"),
    "accuracy": ("accuracy (share of images)", "amber", "-."),
}
"""What the curves show: name with its unit, colour, line."""
_TALL = 0.78
"""Height of the picture of the clouds over its width."""


def plot_frame(run: Trajectory, index: int, *, partners: int = 12) -> np.ndarray:
    """One moment of a run: the clouds on the left, where it stands on its curves on the right.

    The clouds are seen in one fixed plane, the first gap (upright) and the final leading component across
    it, within fixed limits, so that frames can be compared.

    Parameters
    ----------
    run : Trajectory
    index : which recorded step, 0 … len(run) - 1
    partners : how many pairs are connected by lines

    Returns
    -------
    array of two Axes
    """
    return FramePlayer(run, partners=partners).axes(index)


@styled
def plot_space(run: Trajectory, indices: Sequence[int], *, partners: int = 12) -> np.ndarray:
    """Moments of a run in three dimensions, in space: the first gap points upwards.

    All panels have one scale and one view. Nothing is projected before drawing: the axes are a turned
    copy of the embedding's own three.

    Parameters
    ----------
    run : Trajectory of three-dimensional embeddings
    indices : which recorded steps, a panel each
    partners : how many pairs are connected by lines

    Returns
    -------
    array of three-dimensional Axes

    Raises
    ------
    InputError
        If the embeddings have other than three dimensions.
    """
    if run.x.shape[-1] != 3:
        raise InputError(
            f"plot_space draws three dimensions; got d={run.x.shape[-1]} (plot_frame draws any d)"
        )
    turned, origin = _axes_of(run, 2)
    x, y = (run.x - origin) @ turned, (run.y - origin) @ turned
    reach = 1.05 * max(np.abs(x).max(), np.abs(y).max())
    height = 1.05 * max(np.abs(x[..., 2]).max(), np.abs(y[..., 2]).max())
    axes = np.atleast_1d(canvas(1, len(indices), width=9, height=3.2, projection="3d"))
    for ax, index in zip(axes, indices, strict=True):
        for ends in np.stack([x[index], y[index]], 1)[:partners]:
            ax.plot(*ends.T, color=PALETTE["grey"], linewidth=0.7, linestyle="-")
        for cloud, side in ((x[index], "texts"), (y[index], "images")):
            ax.scatter(*cloud.T, s=14, marker=MARKERS[side], color=PALETTE[side], label=side)
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-height, height))
        ax.set_title(f"step {run.steps[index]}")
        for name in "xyz":
            label = "along the first gap" if name == "z" else "across the gap"
            ax.set(**{f"{name}label": label})
            getattr(ax, f"{name}axis").labelpad = -7
            getattr(ax, f"{name}axis").label.set_fontsize(8)
        ax.set_box_aspect((1, 1, height / reach), zoom=1.1)
        ax.view_init(elev=14, azim=-62)
        ax.locator_params(nbins=4)
        ax.tick_params(labelsize=7, pad=-2)
    figure = axes[0].get_figure()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, markerscale=1.5)
    figure.suptitle("all axes in embedding units", fontsize=9)
    return axes


class FramePlayer:
    """One figure that shows any recorded moment of a run.

    A moment only moves the points, the partner lines and the cursor; the rest stays (see `Film`).

    Parameters
    ----------
    run : Trajectory
    partners : how many pairs are connected by lines
    dpi : dots per inch of `png`
    """

    @styled
    def __init__(self, run: Trajectory, *, partners: int = 12, dpi: int = 90) -> None:
        self.run = run
        plane, origin, limits = _view(run)
        self._flat = (run.x - origin) @ plane, (run.y - origin) @ plane
        self._partners = partners
        self._axes = left, right = canvas(1, 2, width=9, height=4.0, width_ratios=[1, 1.15])
        left.set(ylabel="along the first gap (embedding units)")
        left.set(xlabel="along the leading component across it")
        left.set(xlim=limits[0], ylim=limits[1])
        left.set_box_aspect(_TALL)  # the limits have this shape, so both axes have one scale
        draw_clouds(left, self._flat[0][0], self._flat[1][0], partners=partners)
        self._title = left.set_title("")
        for quantity, (label, colour, line) in _FOLLOWED.items():
            right.plot(run.steps, series(run, quantity), color=PALETTE[colour], linestyle=line, label=label)
        step_axis(right, int(run.steps[-1]))
        right.set(ylim=(-0.05, max(1.05, right.get_ylim()[1])))
        right.set(title="the whole run, cursor at this step", ylabel="value (units in the legend)")
        figure = left.get_figure()
        handles, labels = left.get_legend_handles_labels()
        more = right.get_legend_handles_labels()
        figure.legend(handles + more[0], labels + more[1], loc="outside lower center", ncols=3)
        colours = [PALETTE[colour] for _, colour, _ in _FOLLOWED.values()]
        self._dots = right.scatter([0, 0, 0], [0, 0, 0], color=colours, s=36, zorder=5, clip_on=False)
        self._cursor = right.axvline(0, color=PALETTE["grey"], linewidth=1, linestyle=":")
        moving = [*left.lines, *left.collections, self._title, self._cursor, self._dots]
        self._film = Film(figure, moving, dpi=dpi)

    def axes(self, index: int) -> np.ndarray:
        """The two Axes, showing recorded step number ``index``."""
        if not 0 <= index < len(self.run):
            raise InputError(f"index must lie in 0 … {len(self.run) - 1}; got {index}")
        left, step = self._axes[0], self.run.steps[index]
        x, y = (flat[index] for flat in self._flat)
        for cloud, flat in zip(left.collections, (x, y), strict=True):
            cloud.set_offsets(flat)
        for line, ends in zip(left.lines, np.stack([x, y], 1)[: self._partners], strict=True):
            line.set_data(*ends.T)
        self._title.set_text(f"step {step}")
        self._cursor.set_xdata([step, step])
        heights = [series(self.run, quantity)[index] for quantity in _FOLLOWED]
        self._dots.set_offsets(np.stack([np.full(3, step), heights], 1))
        return self._axes

    @styled
    def png(self, index: int) -> bytes:
        """The same as PNG bytes, quickly."""
        self.axes(index)
        return self._film.png()


def _view(run: Trajectory) -> tuple[np.ndarray, np.ndarray, tuple]:
    """A plane (across the gap, along it), its origin and limits that hold every recorded position."""
    axes, origin = _axes_of(run, 1)
    flat = (np.concatenate([run.x, run.y], 1) - origin) @ axes
    low, high = flat.min((0, 1)), flat.max((0, 1))
    middle, extent = (low + high) / 2, 1.12 * (high - low)
    wide = max(extent[0], extent[1] / _TALL)
    half = np.array([wide, _TALL * wide]) / 2
    return axes, origin, tuple(zip(middle - half, middle + half, strict=True))


def _axes_of(run: Trajectory, across: int) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal (d, across + 1) axes, the last one along the first gap, and their origin.

    The others are the leading components that the last positions have across that gap.
    """
    plane, origin = gap_plane(run.x[0], run.y[0])
    gap = plane[:, :1]
    late = np.concatenate([run.x[-1] - run.x[-1].mean(0), run.y[-1] - run.y[-1].mean(0)])
    late = late - late @ gap @ gap.T
    return np.hstack([np.linalg.svd(late, full_matrices=False)[2][:across].T, gap]), origin
