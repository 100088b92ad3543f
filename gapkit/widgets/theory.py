"""The widgets of the theory lessons: the dynamics player and the boundary explorer."""

import functools
from typing import Any

import ipywidgets as ipw

from gapkit.contrastive import simulate
from gapkit.contrastive.initialisation import STARTS, usual_gap_and_spread
from gapkit.plots.boundary import boundary_player, survival
from gapkit.plots.dynamics import FramePlayer
from gapkit.widgets.panel import View, choice, panel, slider

TAUS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Values of τ the dynamics player offers: OpenCLIP temperatures 0.005 to 0.25."""
_PAIRS, _DIMENSIONS, _STEPS = 100, 16, 2000


@functools.lru_cache(maxsize=12)
def player_run(start: str, tau, gap, spread, sphere: bool) -> FramePlayer:
    """The recorded run behind the dynamics player; gap and spread are multiples of the start's usual ones."""
    usual_gap, usual_spread = usual_gap_and_spread(start)
    scale: dict[str, Any] = {"gap": gap * usual_gap, "spread": spread * usual_spread, "tau": tau}
    scale["step_size"] = player_step_size(start, tau, gap)
    return FramePlayer(simulate(start, n=_PAIRS, d=_DIMENSIONS, steps=_STEPS, sphere=sphere, **scale))


def player_step_size(start: str, tau, gap) -> float:
    """The player's step size: 0.02, or less where that would shake the clusters along the gap.

    Steps above τ/(2‖g‖²) do (see `simulate`); τ/(5‖g‖²) keeps well below, and shrinks every deviation
    along the gap to a fifth of itself.

    Examples
    --------
    >>> player_step_size("cones", 0.1, 1.0), player_step_size("cones", 0.01, 1.0)
    (0.02, 0.002)
    """
    length = gap * usual_gap_and_spread(start)[0]
    return min(0.02, tau / (5 * max(length**2, 1.0)))


def player_view(start: str, tau, gap, spread, sphere: bool, frame: int) -> View:
    """One recorded moment of a run; scrubbing only redraws, it never simulates again."""
    player = player_run(start, tau, gap, spread, sphere)
    run, index = player.run, min(frame, len(player.run) - 1)
    return View(
        player.png(index),
        "Left: texts and images in the plane of the first gap, which points upwards. "
        "Right: gap, variance along it and accuracy over the steps, with a cursor at this one.",
        f"Step {run.steps[index]}: gap {run.gap[index]:.3f}, "
        f"variance along it {run.variance_along_gap_y[index]:.2g} (1 = isotropic), "
        f"accuracy {run.accuracy[index]:.3f}, defect {run.defect[index]:.2g}, loss {run.loss[index]:.3f}. "
        f"Step size {player_step_size(start, tau, gap):.2g}.",
    )


def dynamics_player() -> ipw.VBox:
    """Choose a start, τ, gap and spread (as multiples of the usual ones); then scrub through the steps or press play."""
    frames = len(player_run("cones", 0.05, 1.0, 1.0, True).run)
    frame = slider("recorded step", 0, 0, frames - 1, 1)
    play = ipw.Play(value=0, min=0, max=frames - 1, interval=150, description="play")
    ipw.jslink((play, "value"), (frame, "value"))
    box = panel(
        player_view,
        start=choice("start", STARTS, "cones"),
        tau=choice("τ", [(f"{tau:g}", tau) for tau in TAUS], 0.05),
        gap=slider("start gap ×", 1.0, 0.0, 1.5, 0.1, readout=".1f", wait=True),
        spread=slider("start spread ×", 1.0, 0.1, 5.0, 0.1, readout=".1f", wait=True),
        sphere=ipw.Checkbox(value=True, description="on the unit sphere", indent=False),
        frame=frame,
    )
    box.children = (box.children[0], play, *box.children[1:])
    return box


_boundary_player = functools.lru_cache(maxsize=1)(boundary_player)


def boundary_view(gap, sigma, margin) -> View:
    """The boundary picture and the exact probability that the answer survives."""
    picture = _boundary_player().png(gap, sigma, margin)
    kept, near = (survival(height, sigma, margin=margin) for height in (gap, 0.0))
    return View(
        picture,
        "Two candidates, the boundary between them turned by many draws of noise, and the query above; "
        "boundaries that swept over the query are dashed.",
        f"At gap {gap:g} and σ = {sigma:g} the answer survives with probability {kept:.3f}; "
        f"with the gap closed it would be {near:.3f}.",
    )


def boundary_explorer() -> ipw.VBox:
    """Move the query away along the gap, change the noise and the margin, and see the boundary sweep."""
    return panel(
        boundary_view,
        gap=slider("gap", 1.0, 0.0, 2.5, 0.05),
        sigma=slider("noise σ", 0.15, 0.01, 0.5, 0.01),
        margin=slider("margin", 0.15, 0.02, 0.45, 0.01),
    )
