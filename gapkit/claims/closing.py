"""Claims about closing the gap under Gaussian noise on the gallery."""

from gapkit.claims.model import Claim, Measure
from gapkit.claims.rules import Below, Rises, Within
from gapkit.experiments.levels import CALIBRATED, PAPER_IN_TOTAL, PAPER_PER_COORDINATE


def _gain_at_the_papers_noise(name: str, reading: str, levels: tuple[str, ...]) -> Claim:
    return Claim(
        id=name,
        experiment="noise",
        statement=f"The gain shows at the paper's own noise levels, if σ² is read as the variance {reading}.",
        source="the paper, Fig. 8 (σ² = 0.005, 0.022, 0.040)",
        measure=Measure(
            "noise",
            "gain",
            "robustness at α = 1 minus robustness untouched, paired over queries",
            where={"closer": "projected shift", "metric": "euclidean", "alpha": 1.0, "level": levels},
            label=("dataset", "level"),
        ),
        rule=Rises(0.01),
    )


CLOSING = (
    Claim(
        id="answers-kept",
        experiment="noise",
        statement="Shifting the gallery along the part of the gap orthogonal to it changes no answer, for any α.",
        source="the paper, Theorem 3.5",
        measure=Measure(
            "noise.checks",
            "value",
            "smallest share of unchanged answers over α from −0.5 to 1.5, full rank",
            where={"check": "answers kept"},
        ),
        rule=Within(1.0),
    ),
    Claim(
        id="closer-is-safer",
        experiment="noise",
        statement="For every single query: the nearer the gallery is brought, the better its answer survives noise.",
        source="the paper, Theorem 3.4 (for any number of classes: derived here)",
        measure=Measure(
            "noise.checks",
            "value",
            "share of (query, offset) steps at which robustness falls although all distances shrink alike",
            where={"check": "falls although nearer"},
            label=("dataset", "level"),
        ),
        rule=Within(0.0),
    ),
    Claim(
        id="gain",
        experiment="noise",
        statement="Closing the gap makes answers more robust to Gaussian noise on the texts.",
        source="the paper, Fig. 8",
        measure=Measure(
            "noise",
            "gain",
            "robustness at α = 1 minus robustness untouched, paired over queries",
            where={"closer": "projected shift", "metric": "euclidean", "alpha": 1.0, "level": CALIBRATED},
            label=("dataset", "level"),
        ),
        rule=Rises(0.01),
    ),
    Claim(
        id="monotone",
        experiment="noise",
        statement="Mean robustness rises all the way as the gap closes.",
        source="the paper, Fig. 8",
        measure=Measure(
            "noise.checks",
            "value",
            "number of falling steps of the mean robustness over α = 0, 0.1, …, 0.9",
            where={"check": "falling steps"},
            label=("dataset", "level"),
        ),
        rule=Within(0.0),
    ),
    Claim(
        id="accuracy-kept",
        experiment="noise",
        statement="Closing the gap costs no clean accuracy.",
        source="the paper, Fig. 8",
        measure=Measure(
            "noise.checks",
            "value",
            "largest change of clean accuracy over α from 0 to 1",
            where={"check": "clean accuracy"},
        ),
        rule=Within(0.0, 0.005),
    ),
    _gain_at_the_papers_noise("gain-paper-noise-each", "per coordinate", PAPER_PER_COORDINATE),
    _gain_at_the_papers_noise("gain-paper-noise-total", "in total over all coordinates", PAPER_IN_TOTAL),
    Claim(
        id="beyond-closure",
        experiment="noise",
        statement="Past full closure mean robustness falls again.",
        source="the paper, Fig. 8",
        measure=Measure(
            "noise.checks",
            "value",
            "mean robustness at α = 1 minus that at α = 1.5, paired over queries",
            where={"check": "loss past closure"},
            label=("dataset", "level"),
        ),
        rule=Rises(0.005),
    ),
    Claim(
        id="beyond-closure-answers",
        experiment="noise",
        statement="Past full closure too (α = 1.5) no answer changes.",
        source="Theorem 3.5 at full rank; readers of the paper's Fig. 8 note the contrary",
        origin="derived here",
        measure=Measure(
            "noise.checks",
            "value",
            "share of answers changed at α = 1.5, full rank",
            where={"check": "answers changed past closure"},
        ),
        rule=Within(0.0),
    ),
    Claim(
        id="per-query-optimum",
        experiment="noise",
        statement="Each query is most robust at α* = 1 + g'·(y−μ)/‖g'‖².",
        source="derived from the paper's Eq. 11",
        origin="derived here",
        measure=Measure(
            "noise.checks",
            "value",
            "share of queries that do better on either side of α* than at α* itself",
            where={"check": "better beside the optimum"},
            label=("dataset", "level"),
        ),
        rule=Within(0.0),
    ),
)

RAW_SHIFT_AND_CHECKS = (
    Claim(
        id="raw-changes-answers",
        experiment="raw-shift",
        statement="The raw shift X + αg, without the projection, changes answers.",
        source="the paper, §4 and Fig. 2; Liang et al. 2022",
        measure=Measure(
            "raw-shift.checks",
            "value",
            "share of answers changed at α = 1",
            where={"check": "answers changed"},
        ),
        rule=Rises(0.005),
    ),
    Claim(
        id="raw-non-monotone",
        experiment="raw-shift",
        statement="Under the raw shift accuracy is not monotone in α.",
        source="the paper, Fig. 2; Liang et al. 2022",
        measure=Measure(
            "raw-shift.checks",
            "value",
            "the smaller of the rise to, and the fall from, the best α inside −0.5 … 1.5",
            where={"check": "hump"},
        ),
        rule=Rises(0.005),
    ),
    Claim(
        id="refit-control",
        experiment="noise",
        statement="Control: a closer fitted again on each perturbed gallery has no effect at all.",
        source="follows from the paper's Theorem 3.5",
        origin="derived here",
        measure=Measure(
            "noise.checks",
            "value",
            "share of (query, draw) whose noisy answer differs from the untouched noisy answer",
            where={"check": "refitted: answers differ"},
            label=("dataset", "level"),
        ),
        rule=Within(0.0),
    ),
    Claim(
        id="monte-carlo-agrees",
        experiment="noise",
        statement="Check: drawing the noise gives the same robustness as the exact integral.",
        source="derived here: the exact integral",
        origin="derived here",
        measure=Measure(
            "noise.checks",
            "value",
            "difference of the mean robustness in standard errors, absolute",
            where={"check": "Monte Carlo against exact"},
            label=("dataset", "level"),
        ),
        rule=Below(4.0),
    ),
)
