"""Which rows and columns of the tidy tables the report prints; the whole tables lie beside it as CSV."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from gapkit.experiments.levels import MIDDLE

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Printed:
    """A table as text: headers and rows, and what it shows."""

    headers: list[str]
    rows: list[list[str]]
    caption: str


def number(value, digits: int = 3) -> str:
    """A number as the report prints it; a dash for nothing.

    >>> number(0.12345), number(float("nan")), number(3), number(1.5e-9)
    ('0.123', '–', '3', '1.5e-09')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, int) or float(value).is_integer():
        return str(int(value))
    if abs(value) < 10**-digits:
        return f"{value:.1e}"
    return f"{value:.{digits}f}"


def with_interval(value, low, high, digits: int = 3) -> str:
    """``0.123 [0.100, 0.150]``, or the value alone where the interval has no width or is missing."""
    text = number(value, digits)
    if any(v is None or math.isnan(v) for v in (low, high)) or low == high:
        return text
    return f"{text} [{number(low, digits)}, {number(high, digits)}]"


def _estimate(name: str, digits: int = 3) -> Callable[[dict], str]:
    return lambda row: with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"], digits)


def _plain(name: str, digits: int = 3) -> Callable[[dict], str]:
    def show(row: dict) -> str:
        value = row.get(name)
        return value if isinstance(value, str) else number(value, digits)

    return show


_PLACE = [("model", _plain("model")), ("dataset", _plain("dataset"))]
_LEVEL = [("noise", _plain("level")), ("σ per coordinate", _plain("sigma_per_coordinate", 4))]
_OUTCOME = [
    ("robustness", _estimate("robustness")),
    ("gain", _estimate("gain")),
    ("same clean answers", _estimate("agreement")),
    ("clean accuracy", _estimate("clean_accuracy")),
    ("noisy accuracy", _estimate("noisy_accuracy")),
]
Columns = Sequence[tuple[str, Callable[[dict], str]]]


@dataclass(frozen=True)
class _Plan:
    table: str
    caption: str
    columns: Columns
    keep: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table


def _closed(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["alpha"] == 1.0]


_PLANS: dict[str, _Plan] = {
    "gap": _Plan(
        "gap",
        "Gap and separability, and the metrics of matched pairs.",
        [
            *_PLACE,
            ("‖g‖", _estimate("gap_norm")),
            ("separability", _estimate("separability")),
            ("matched cosine", _plain("matched_cosine")),
            ("L2I", _plain("l2i")),
            ("RMG", _plain("rmg")),
        ],
    ),
    "orthogonality": _Plan(
        "orthogonality",
        "Relative variance along g (1 = average direction) and share of ‖g‖ in the texts' top-k components.",
        [
            *_PLACE,
            ("quantity", _plain("quantity")),
            ("side", _plain("side")),
            ("k", lambda row: "–" if pd.isna(row["k"]) else str(int(row["k"]))),
            ("value", _estimate("value")),
            ("95 % of random directions", lambda row: f"{row['band_low']:.3f} to {row['band_high']:.3f}"),
        ],
    ),
    "theory": _Plan(
        "theory",
        "Theorem against exact gradient, and what descent leaves of the gap.",
        [("what", _plain("check")), ("where", _plain("level")), ("value", lambda row: f"{row['value']:.4g}")],
    ),
    "formation": _Plan(
        "formation",
        "What the training curves say, seed by seed.",
        [
            ("model", _plain("model")),
            ("seed", _plain("run")),
            ("what", _plain("check")),
            ("value", _plain("value", 4)),
        ],
    ),
    "noise": _Plan(
        "noise",
        "With the gap closed (α = 1).",
        [*_PLACE, *_LEVEL, ("noise norm / spread of texts", _plain("sigma_over_spread", 2)), *_OUTCOME],
        _closed,
    ),
    "closers": _Plan(
        "closers",
        f"Each closer under both metrics, noise calibrated to {MIDDLE}.",
        [*_PLACE, ("metric", _plain("metric")), ("closer", _plain("closer")), *_OUTCOME],
        lambda table: table[table["level"] == MIDDLE],
    ),
    "axes": _Plan(
        "axes",
        "Every combination, at the σ that leaves 0.7 untouched under the Euclidean metric.",
        [
            *_PLACE,
            ("metric", _plain("metric")),
            ("noise on", _plain("noise_on")),
            ("moved", _plain("moves")),
            *_OUTCOME,
        ],
    ),
    "raw-shift": _Plan(
        "raw-shift",
        "Clean accuracy and unchanged answers at a few values of α.",
        [
            *_PLACE,
            ("closer", _plain("closer")),
            ("α", _plain("alpha", 1)),
            ("clean accuracy", _estimate("clean_accuracy")),
            ("same answers", _estimate("agreement")),
        ],
        lambda table: table[table["alpha"].isin([-0.5, 0.0, 0.5, 1.0, 1.5])],
    ),
    "multiple-choice": _Plan(
        "multiple-choice",
        "With the gap closed (α = 1), all questions and by type.",
        [("model", _plain("model")), ("questions", _plain("question_type")), *_LEVEL, *_OUTCOME],
        _closed,
    ),
    "quantisation": _Plan(
        "quantisation",
        "Share of answers that survive, and what closing adds to it.",
        [
            *_PLACE,
            ("code", _plain("noise")),
            ("fineness", _plain("level")),
            ("α", _plain("alpha", 1)),
            ("answers that survive", _estimate("robustness")),
            ("gain", _estimate("gain")),
            ("accuracy", _estimate("noisy_accuracy")),
            ("queries without a unique answer", _plain("tied")),
        ],
    ),
    "rephrasing": _Plan(
        "rephrasing",
        "Every wording, untouched and closed.",
        [
            *_PLACE,
            ("task", _plain("task")),
            ("wording", _plain("level")),
            ("seen in training", lambda row: "no" if row["unseen"] else "yes"),
            ("α", _plain("alpha", 1)),
            ("accuracy", _estimate("noisy_accuracy")),
            ("answers kept", _estimate("robustness")),
        ],
        lambda table: table[table["alpha"] != 0.5],
    ),
    "retrieval": _Plan(
        "retrieval",
        f"Noise calibrated to {MIDDLE}; untouched, and closed with V of three sizes.",
        [
            *_PLACE,
            ("direction", _plain("direction")),
            ("V", _plain("rank")),
            ("components", _plain("components")),
            ("α", _plain("alpha", 1)),
            ("R@1", _estimate("recall_at_1")),
            ("R@5", _estimate("recall_at_5")),
            ("R@10", _estimate("recall_at_10")),
            ("robustness", _estimate("robustness")),
            ("gain", _estimate("gain")),
            ("R@1 under the noise", _estimate("noisy_accuracy")),
        ],
        lambda table: table[
            (table["level"] == MIDDLE) & ((table["alpha"] == 1.0) | (table["rank"] == "full"))
        ],
    ),
    "family": _Plan(
        "family",
        "Every member, at matched untouched robustness.",
        [
            *_PLACE,
            ("noise", _plain("level")),
            ("‖g‖", _plain("gap_norm")),
            ("‖g'‖", _plain("shift_norm")),
            ("noise norm / spread of texts", _plain("sigma_over_spread", 2)),
            ("untouched", _plain("untouched")),
            *_OUTCOME,
        ],
    ),
}


def printed_table(experiment: str, tables: Tables) -> Printed | None:
    """The rows of one experiment that the report prints; None if it was not run."""
    plan = _PLANS.get(experiment)
    if plan is None or plan.table not in tables:
        return None
    records = plan.keep(tables[plan.table]).to_dict("records")
    rows = [[show(row) for _, show in plan.columns] for row in records]
    return Printed([header for header, _ in plan.columns], rows, plan.caption)
