"""Claims about the gap itself: that it is there, and whether it is orthogonal."""

from gapkit.claims.model import Claim, Measure
from gapkit.claims.rules import Above, Below, BelowBand

GAP = (
    Claim(
        id="gap-exists",
        experiment="gap",
        statement="Images and texts lie in different places: the gap vector is not zero.",
        source="Liang et al. 2022; the paper, Eq. 4",
        origin="earlier work",
        measure=Measure("gap", "gap_norm", "length of the gap vector, ‖g‖, on held-out data"),
        rule=Above(0.1),
    ),
    Claim(
        id="gap-separable",
        experiment="gap",
        statement="A linear classifier tells images from texts, on rows that it was not trained on.",
        source="Liang et al. 2022; Schrodi et al. 2025",
        origin="earlier work",
        measure=Measure("gap", "separability", "balanced accuracy on held-out rows, cross-validated"),
        rule=Above(0.95),
    ),
    Claim(
        id="orthogonal-variance",
        experiment="orthogonality",
        statement="Neither modality varies along the gap direction (Assumption 3.3).",
        source="the paper, Assumption 3.3",
        measure=Measure(
            "orthogonality",
            "value",
            "variance along g relative to an average direction; 0 is orthogonal, 1 as in any direction",
            where={"quantity": "relative variance"},
            label=("dataset", "side"),
        ),
        rule=Below(0.1),
    ),
    Claim(
        id="orthogonal-chance",
        experiment="orthogonality",
        statement="The modalities vary less along the gap than along a random direction.",
        source="Assumption 3.3 of the paper, against chance",
        origin="derived here",
        measure=Measure(
            "orthogonality",
            "value",
            "variance along g relative to an average direction, against the band of random directions",
            where={"quantity": "relative variance"},
            label=("dataset", "side"),
        ),
        rule=BelowBand(),
    ),
    Claim(
        id="outside-subspace",
        experiment="orthogonality",
        statement="The gap lies outside the principal components of the texts, more than a random direction would.",
        source="Assumption 3.3 of the paper, against chance",
        origin="derived here",
        measure=Measure(
            "orthogonality",
            "value",
            "share of ‖g‖ inside the top-k components of the texts, against the Beta band",
            where={"quantity": "subspace share", "side": "texts"},
            label=("dataset", "k"),
        ),
        rule=BelowBand(),
    ),
)
