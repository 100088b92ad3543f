"""Claims about closing the gap beyond Gaussian noise: options, codes, other words, other models."""

from gapkit.claims.model import Claim, Measure
from gapkit.claims.rules import Above, Rises, Within
from gapkit.experiments.levels import BINS, CALIBRATED, MIDDLE

BIN_LEVELS = tuple(f"{bins} bins" for bins in BINS)

BEYOND_GAUSS = (
    Claim(
        id="choice-answers-kept",
        experiment="multiple-choice",
        statement="Multiple choice: with V fitted to each question's options no answer changes.",
        source="the paper, §5 (A-OKVQA) and Theorem 3.5",
        measure=Measure(
            "multiple-choice",
            "agreement",
            "share of unchanged answers at α = 1",
            where={"alpha": 1.0, "level": MIDDLE, "question_type": "all"},
        ),
        rule=Within(1.0),
    ),
    Claim(
        id="choice-gain",
        experiment="multiple-choice",
        statement="Multiple choice: closing the gap makes answers more robust to noise on the options.",
        source="the paper, §5 (A-OKVQA)",
        measure=Measure(
            "multiple-choice",
            "gain",
            "robustness at α = 1 minus robustness untouched, paired, resampled by image",
            where={"alpha": 1.0, "level": CALIBRATED, "question_type": "all"},
            label=("dataset", "level"),
        ),
        rule=Rises(0.01),
    ),
    Claim(
        id="quantised-fixed",
        experiment="quantisation",
        statement="Closing the gap lets more answers survive quantisation of the gallery (one fixed range).",
        source="the paper, §5 (quantisation to 32, 64, 128, 256 bins)",
        measure=Measure(
            "quantisation",
            "gain",
            "share of answers that survive at α = 1 minus that untouched, paired",
            where={"noise": "fixed range", "level": BIN_LEVELS, "alpha": 1.0},
            label=("dataset", "level"),
        ),
        rule=Rises(0.005),
    ),
    Claim(
        id="quantised-fitted",
        experiment="quantisation",
        statement="Closing the gap lets more answers survive quantisation with ranges fitted to the stored gallery.",
        source="the paper, §5 (quantisation), in the other reading of its range",
        measure=Measure(
            "quantisation",
            "gain",
            "share of answers that survive at α = 1 minus that untouched, paired",
            where={"noise": "fitted range", "level": BIN_LEVELS, "alpha": 1.0},
            label=("dataset", "level"),
        ),
        rule=Rises(0.005),
    ),
    Claim(
        id="quantised-codes",
        experiment="quantisation",
        statement="Closing the gap lets more answers survive int8 and binary codes.",
        source="beyond the paper: the codes vector databases use",
        origin="derived here",
        measure=Measure(
            "quantisation",
            "gain",
            "share of answers that survive at α = 1 minus that untouched, paired",
            where={"noise": ("int8", "binary"), "alpha": 1.0},
            label=("dataset", "noise"),
        ),
        rule=Rises(0.005),
    ),
    Claim(
        id="rephrasing-costs",
        experiment="rephrasing",
        statement="Rephrasing the captions costs an untouched model over 6 % accuracy.",
        source="the paper, §5 (caption rephrasing)",
        measure=Measure(
            "rephrasing.checks",
            "value",
            "accuracy with the standard template minus mean accuracy with unseen wordings, untouched",
            where={"check": "cost of rephrasing"},
        ),
        rule=Above(0.06),
    ),
    Claim(
        id="rephrasing-mitigated",
        experiment="rephrasing",
        statement="Closing the gap mitigates what rephrasing costs.",
        source="the paper, §5 (caption rephrasing)",
        measure=Measure(
            "rephrasing.checks",
            "value",
            "mean accuracy with unseen wordings at α = 1 minus that untouched, paired",
            where={"check": "accuracy won back"},
        ),
        rule=Rises(0.005),
    ),
    Claim(
        id="rephrasing-agreement",
        experiment="rephrasing",
        statement="Closing the gap lets more answers survive rephrasing.",
        source="the paper, §5 (caption rephrasing)",
        measure=Measure(
            "rephrasing.checks",
            "value",
            "mean share of answers that survive rephrasing at α = 1 minus that untouched, paired",
            where={"check": "agreement won"},
        ),
        rule=Rises(0.005),
    ),
    Claim(
        id="rephrasing-refit",
        experiment="rephrasing",
        statement="Control: a closer fitted again on each rephrased gallery has no effect at all.",
        source="follows from the paper's Theorem 3.5",
        origin="derived here",
        measure=Measure(
            "rephrasing.checks",
            "value",
            "share of answers that differ from the untouched answers to the same wording",
            where={"check": "refitted: answers differ"},
        ),
        rule=Within(0.0),
    ),
    Claim(
        id="retrieval-accuracy-kept",
        experiment="retrieval",
        statement="Retrieval: closing the gap costs no recall, at full rank.",
        source="the paper, Theorem 3.5, applied to retrieval",
        measure=Measure(
            "retrieval",
            "recall_change",
            "change of R@1 at α = 1, full rank",
            where={"alpha": 1.0, "rank": "full", "level": MIDDLE},
            label=("dataset", "direction"),
        ),
        rule=Within(0.0, 0.005),
    ),
    Claim(
        id="retrieval-gain",
        experiment="retrieval",
        statement="Retrieval: closing the gap makes the first hit more robust, both ways.",
        source="the paper's Fig. 8, applied to retrieval",
        measure=Measure(
            "retrieval",
            "gain",
            "robustness at α = 1 minus robustness untouched, paired, full rank",
            where={"alpha": 1.0, "rank": "full", "level": CALIBRATED},
            label=("dataset", "direction", "level"),
        ),
        rule=Rises(0.01),
    ),
    Claim(
        id="wider-gains-more",
        experiment="family",
        statement="Models with a wider gap gain more from closing it, at matched untouched robustness.",
        source="the paper, §3.2 and Theorem 3.4: the natural experiment",
        measure=Measure(
            "family.checks",
            "value",
            "rank correlation of ‖g‖ and gain over settings and seeds; interval over seeds, "
            "widest over leaving out one setting",
            where={"check": "gap and gain"},
            label=("dataset", "level"),
        ),
        rule=Rises(0.5),
        about="family",
    ),
)
