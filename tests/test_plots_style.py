"""One look, nothing by colour alone, and no picture without a text."""

import itertools
import subprocess
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.text import Text

from gapkit.errors import InputError
from gapkit.plots import PALETTE, canvas, show, styled
from gapkit.plots.style import LINES, MARKERS, SERIES, figure_of, png


def seen_by(colour: str, matrix: np.ndarray) -> np.ndarray:
    """A colour as a person with a colour-vision deficiency sees it (matrices of Viénot et al. 1999, linear RGB)."""
    srgb = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.clip(matrix @ linear, 0, 1) ** (1 / 2.2)


PROTAN = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
DEUTAN = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


@pytest.mark.parametrize("matrix", [np.eye(3), PROTAN, DEUTAN], ids=["usual", "protanopia", "deuteranopia"])
def test_texts_and_images_can_be_told_apart_by_everyone(matrix):
    distance = np.linalg.norm(seen_by(PALETTE["texts"], matrix) - seen_by(PALETTE["images"], matrix))
    assert distance > 0.3


@pytest.mark.parametrize("matrix", [np.eye(3), PROTAN, DEUTAN], ids=["usual", "protanopia", "deuteranopia"])
def test_no_two_series_look_the_same_to_anyone(matrix):
    # Farther than two greys a twelfth apart; what is nearer than texts and images has another line and marker.
    seen = [seen_by(colour, matrix) for colour in SERIES]
    distances = [np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)]
    assert min(distances) > 3**0.5 / 12


def test_nothing_hangs_on_colour_alone():
    assert MARKERS["texts"] != MARKERS["images"]
    assert len(SERIES) == len(set(SERIES)) == len(LINES) == len({str(line) for line in LINES})


def test_drawing_leaves_matplotlibs_settings_alone():
    before = dict(mpl.rcParams)

    @styled
    def draw():
        assert mpl.rcParams["axes.spines.top"] is False
        return canvas()

    png(draw())
    assert dict(mpl.rcParams) == before


def test_the_same_picture_gives_the_same_bytes():
    first, second = (png(canvas(1, 2)) for _ in range(2))
    assert first == second
    assert first.startswith(b"\x89PNG")


def test_canvas_gives_back_the_axes_it_was_given_and_figure_of_takes_anything_drawn():
    ax = canvas()
    assert canvas(ax=ax) is ax
    grid = canvas(2, 2)
    assert figure_of(ax) is ax.figure
    assert figure_of(grid) is figure_of(grid[0, 0].figure) is grid[1, 1].figure


def test_show_needs_a_text_and_passes_it_on(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    with pytest.raises(InputError, match="alt must say"):
        show(canvas(), alt="  ")
    show(canvas(), alt="two words\n   and more")
    data, metadata = shown[0]._repr_png_()
    assert metadata["alt"] == "two words and more"
    assert data


def test_no_figure_is_left_with_pyplot():
    code = (
        "import sys, gapkit.plots as p; p.png(p.plot_pca([[0., 1], [1, 0]], [[2., 1], [3, 0]]));"
        "assert 'matplotlib.pyplot' not in sys.modules or not sys.modules['matplotlib.pyplot'].get_fignums()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


NAME = "$\\frac{$ \x1b[2J\x00 $x^2$ \\mathdefault"


def test_a_name_that_is_no_mathematics_ends_a_picture():
    """Names of models and datasets are shown as they are; powers at the ticks stay powers."""

    @styled
    def draw():
        ax = canvas()
        ax.plot([1, 10, 100], label=NAME)
        ax.set(title=NAME, xlabel=NAME, yscale="log")
        ax.set_xticks([0, 1], [NAME, NAME])
        ax.legend()
        ax.annotate(NAME, (0, 1))
        return ax

    ax = draw()
    ax.get_figure().legend(*ax.get_legend_handles_labels())
    with warnings.catch_warnings(action="ignore"):  # of signs that the font lacks
        png(ax)
    named = [text for text in ax.get_figure().findobj(Text) if "$x^2$" in text.get_text()]
    assert len(named) > 5
    assert not any(text.get_parse_math() for text in named)
    assert ax.get_xlabel().replace("\n", "").isprintable()
    ticks = [text for text in ax.get_yticklabels() if "mathdefault" in text.get_text()]
    assert ticks
    assert all(text.get_parse_math() for text in ticks)
