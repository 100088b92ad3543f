"""One picture of the report, and small words that all of them use."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from gapkit.claims import is_control
from gapkit.report.view import short_model

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Picture:
    """One picture: its name, what it is drawn on, the sentence below it, and the one instead of it."""

    name: str
    axes: Axes
    caption: str
    alt: str


def named(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(name=[short_model(model) for model in table["model"]])


def lead(table: pd.DataFrame) -> str:
    """The model whose curves are shown: the first."""
    return table["model"].iloc[0]


def trained(table: pd.DataFrame) -> pd.DataFrame:
    """The rows without the random control, if anything is left then."""
    kept = table[[not is_control(model) for model in table["model"]]]
    return kept if len(kept) else table


def legend_below(axes: Axes) -> None:
    """The legend under the axes, where it hides no curve, and room for it."""
    if axes.get_legend():
        axes.get_legend().remove()
    figure = axes.get_figure()
    figure.set_figheight(figure.get_figheight() + 0.5)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8, frameon=False
    )


def spread(values: pd.Series) -> str:
    return f"{values.min():.2f} to {values.max():.2f}"


def datasets(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield from table.groupby("dataset", sort=False)


def slug(*parts: str) -> str:
    """A file name from a picture's parts; of the path of a file of embeddings only its name."""
    parts = tuple(Path(part).stem if part.endswith(".safetensors") else part for part in parts)
    return "-".join("".join(c if c.isalnum() else "-" for c in part).strip("-") for part in parts)
