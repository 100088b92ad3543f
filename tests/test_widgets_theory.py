"""The theory widgets: their callbacks as plain functions, and that every control is connected."""

import re

import ipywidgets as ipw
import numpy as np
import pytest

import gapkit.widgets.theory as theory
from gapkit.contrastive.initialisation import STARTS, usual_gap_and_spread
from gapkit.errors import InputError
from gapkit.robustness import boundary_scene, robustness
from gapkit.widgets.panel import View, panel, picture_html, present
from tests.widgets.counting import counted


def controls_of(box: ipw.VBox) -> list:
    return list(box.children[0].children)


def shown(box: ipw.VBox) -> str:
    return box.children[-1].value


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Shorter runs behind the player."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theory, "_PAIRS", 30)
        patch.setattr(theory, "_STEPS", 100)
        theory.player_run.cache_clear()
        yield
    theory.player_run.cache_clear()


def test_player_view_reports_the_recorded_step():
    player = theory.player_run("cones", 0.05, 1.0, 1.0, True)
    view = theory.player_view("cones", 0.05, 1.0, 1.0, True, 3)
    assert view.png.startswith(b"\x89PNG")
    assert view.summary.startswith("Step 3: ")
    assert f"gap {player.run.gap[3]:.3f}" in view.summary
    assert view.summary.endswith("Step size 0.01.")
    assert view.png != theory.player_view("cones", 0.05, 1.0, 1.0, True, 20).png


@pytest.fixture
def full_length(monkeypatch):
    """Runs as long as the player's own, of fewer pairs."""
    monkeypatch.setattr(theory, "_PAIRS", 24)
    monkeypatch.setattr(theory, "_STEPS", 2000)
    theory.player_run.cache_clear()
    yield
    theory.player_run.cache_clear()


def test_the_players_gap_on_the_sphere_is_the_wider_the_lower_the_temperature(full_length):
    gaps = [theory.player_run("cones", tau, 1.0, 1.0, True).run.gap[-1] for tau in theory.TAUS]
    assert np.all(np.diff(gaps) < 0)
    assert gaps[0] > 0.85
    assert gaps[-1] < 0.05


def test_the_players_free_gap_is_frozen_at_every_temperature(full_length):
    for tau in theory.TAUS:
        run = theory.player_run("cones", tau, 1.0, 1.0, False).run
        assert np.ptp(run.gap[run.nearest(100) :]) < 1e-4, tau
        assert run.gap[-1] == pytest.approx(run.gap[0], abs=0.01), tau


def test_the_players_steps_stay_below_the_stability_limit_for_every_gap_on_offer():
    for start in STARTS:
        for tau in theory.TAUS:
            for gap in (0.0, 1.0, 1.5):
                length = gap * usual_gap_and_spread(start)[0]
                step = theory.player_step_size(start, tau, gap)
                assert 0 < step <= 0.02
                assert step * 2 * length**2 / tau < 0.5  # 1 is the limit
    run = theory.player_run("cones", 0.01, 1.5, 1.0, False).run
    assert run.gap[-1] == pytest.approx(run.gap[0], abs=0.02)


def test_scrubbing_never_simulates_again(monkeypatch):
    theory.player_view("cones", 0.05, 1.0, 1.0, True, 0)

    def fail(*args, **options):
        raise AssertionError("simulated while scrubbing")

    monkeypatch.setattr(theory, "simulate", fail)
    for frame in range(10):
        theory.player_view("cones", 0.05, 1.0, 1.0, True, frame)


def test_every_control_of_the_player_changes_what_is_shown():
    box = theory.dynamics_player()
    controls = {control.description: control for control in controls_of(box)}
    assert set(controls) == {
        "start", "τ", "start gap ×", "start spread ×", "on the unit sphere", "recorded step",
    }  # fmt: skip
    changes = {
        "recorded step": 5, "start": "isotropic", "τ": 0.2, "start gap ×": 0.5,
        "start spread ×": 3.0, "on the unit sphere": False,
    }  # fmt: skip
    for name, value in changes.items():
        before = shown(box)
        controls[name].value = value
        assert shown(box) != before, name
    assert any(isinstance(child, ipw.Play) for child in box.children)


def test_boundary_view_gives_the_exact_probability():
    view = theory.boundary_view(1.0, 0.2, 0.15)
    candidates, query = boundary_scene(1.0, margin=0.15)
    exact = float(robustness(query, candidates, sigma=0.2)[0])
    assert f"probability {exact:.3f}" in view.summary
    closed = float(re.search(r"closed it would be ([\d.]+)", view.summary)[1].rstrip("."))
    assert closed > exact


def test_every_control_of_the_boundary_explorer_changes_what_is_shown():
    box = theory.boundary_explorer()
    for control in controls_of(box):
        before = shown(box)
        control.value = control.value + control.step * 3
        assert shown(box) != before, control.description


def test_the_boundary_is_redrawn_as_a_whole():
    theory.boundary_view(1.0, 0.15, 0.15)
    with counted() as calls:
        for i in range(1, 12):  # settings not seen before
            theory.boundary_view(1.0 + 0.05 * i, 0.15 + 0.01 * i, 0.15)
    assert calls == {}


def test_the_boundary_explorer_refuses_bad_settings_and_recovers():
    before = theory.boundary_view(1.0, 0.2, 0.15)
    with pytest.raises(InputError, match="margin must be greater than 0"):
        theory.boundary_view(1.0, 0.2, 0.0)
    assert theory.boundary_view(1.0, 0.2, 0.15) == before


def test_the_players_frame_is_redrawn_as_a_whole():
    theory.player_run.cache_clear()
    with counted(runs=(theory, "simulate")) as calls:
        for frame in range(6):
            theory.player_view("cones", 0.05, 1.0, 1.0, True, frame)
    assert calls == {"runs": 1, "figures": 1, "whole drawings": 1, "axes with ticks": 4}


def test_bad_input_is_shown_as_text_and_the_panel_recovers():
    def view(value):
        if value > 1:
            raise InputError("value must be <= 1")
        return View(b"png", "alt", f"value {value}")

    box = panel(view, value=ipw.IntText(0))
    control = controls_of(box)[0]
    control.value = 5
    assert "value must be &lt;= 1" in shown(box)
    assert 'role="alert"' in shown(box)
    control.value = 1
    assert "value 1" in shown(box)


def test_pictures_carry_alternative_text_and_a_summary():
    text = picture_html(View(b"png", 'a "quoted" <alt>', "numbers & words"))
    assert 'alt="a &quot;quoted&quot; &lt;alt&gt;"' in text
    assert "<figcaption>numbers &amp; words</figcaption>" in text  # tests/browser look at the live region


def test_present_leaves_a_sentence_where_no_kernel_runs(monkeypatch):
    displayed = []
    monkeypatch.setattr("IPython.display.display", displayed.append)
    box = ipw.VBox()
    present(box, "See the figure above.")
    assert "See the figure above." in displayed[0].data
    assert displayed[1] is box
