"""Keep the figures of real models that lessons and pictures show: ``python tools/recorded.py RESULTS``.

RESULTS is a folder of ``gapkit replicate --published``. Writes data/recorded/real_models.csv; the embeddings themselves are
never part of the repository. `make results` runs this.
"""

import sys
from pathlib import Path

import pandas as pd

from gapkit.embeddings import published_sets

TARGET = Path(__file__).resolve().parent.parent / "data" / "recorded" / "real_models.csv"
HEAD = (
    "# Recorded, not computed here: gapkit replicate --published (make results); sets: gapkit fetch --all\n"
)
GAP = ["gap_norm_low", "gap_norm_high", "matched_cosine", "l2i", "rmg", "dimension"]
MODELS = [
    *("dataset", "level", "sigma_per_coordinate", "candidates", "pairs", "gap_norm"),
    *(f"{name}{end}" for name in ("clean_accuracy", "gain", "affine_gain") for end in ("", "_low", "_high")),
]


def recorded(results: Path) -> pd.DataFrame:
    """One row a set and level, from the tables of a replication."""
    tables = {
        name: pd.read_csv(results / "tables" / f"{name}.csv")
        for name in ("real-models", "gap", "orthogonality")
    }
    figures = tables["real-models"][MODELS].merge(tables["gap"][["dataset", *GAP]], on="dataset")
    varies = tables["orthogonality"].query("quantity == 'relative variance'")
    for side in ("images", "texts"):
        some = varies[varies["side"] == side].set_index("dataset")
        for column in ("value", "value_low", "value_high", "band_low", "band_high"):
            figures[
                f"variance_{side}{column.removeprefix('value') if column.startswith('value') else '_' + column}"
            ] = figures["dataset"].map(some[column])
    labels = {name: entry.label for name, entry in published_sets().items()}
    figures.insert(0, "model", figures["dataset"].map(labels))
    return figures.rename(columns={"dataset": "name"})


if __name__ == "__main__":
    table = recorded(Path(sys.argv[1]))
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(HEAD + table.to_csv(index=False, float_format="%.6g"), encoding="utf-8")
    print(f"wrote {TARGET.name}: {table['name'].nunique()} sets")
