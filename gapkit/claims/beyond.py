"""Claims about closing the gap beyond Gaussian noise: options, codes, other words, retrieval, other models."""

from functools import partial

from gapkit.claims.model import Claim
from gapkit.claims.rules import Above, Falls, Rises, Within
from gapkit.experiments.protocol import CALIBRATED, MIDDLE
from gapkit.experiments.quantisation import BINS

BIN_LEVELS = tuple(f"{bins} bins" for bins in BINS)

# What several claims share.
of_codes = partial(
    Claim,
    table="quantisation",
    column="gain",
    measured="share of answers that survive at α = 1 minus that untouched, paired",
    rule=Rises(0.005),
)
of_wordings = partial(
    Claim, source="the paper, §5 (caption rephrasing)", table="rephrasing.checks", label=("dataset", "task")
)

BEYOND = (
    Claim(
        "choice-answers-kept",
        "Multiple choice: with V fitted to each question's options no answer changes.",
        source="the paper, §5 (A-OKVQA) and Theorem 3.5",
        table="multiple-choice",
        column="agreement",
        measured="share of unchanged answers, at each α from −0.5 to 1.5",
        where={"level": MIDDLE, "question_type": "all"},
        label=("dataset", "alpha"),
        rule=Within(1.0),
    ),
    Claim(
        "choice-gain",
        "Multiple choice: closing the gap makes answers more robust to noise on the options.",
        source="the paper, §5 (A-OKVQA)",
        table="multiple-choice",
        column="gain",
        measured="robustness at α = 1 minus robustness untouched, paired, resampled by image",
        where={"alpha": 1.0, "level": CALIBRATED, "question_type": "all"},
        label=("dataset", "level"),
        rule=Rises(0.01),
        headline=True,
    ),
    of_codes(
        "quantised-fixed",
        "Closing the gap lets more answers survive quantisation of the gallery (one fixed range).",
        source="the paper, §5 (quantisation to 32, 64, 128, 256 bins)",
        where={"noise": "fixed range", "level": BIN_LEVELS, "alpha": 1.0},
        label=("dataset", "level"),
    ),
    of_codes(
        "quantised-fitted",
        "Closing the gap lets more answers survive quantisation with ranges fitted to the stored gallery.",
        source="the paper, §5 (quantisation), in the other reading of its range",
        where={"noise": "fitted range", "level": BIN_LEVELS, "alpha": 1.0},
        label=("dataset", "level"),
    ),
    of_codes(
        "quantised-unit-range",
        "Closing the gap lets more answers survive quantisation with bins from −1 to 1, whatever the data.",
        source="the paper, §5 (quantisation), in another reading of its range: the only one that no data enter",
        where={"noise": "range ±1", "level": BIN_LEVELS, "alpha": 1.0},
        label=("dataset", "level"),
        headline=True,
    ),
    of_codes(
        "quantised-codes",
        "Closing the gap lets more answers survive int8 and binary codes.",
        source="beyond the paper: the codes vector databases use",
        where={"noise": ("int8", "binary"), "alpha": 1.0},
        label=("dataset", "noise"),
        origin="derived here",
    ),
    of_wordings(
        "rephrasing-costs",
        "Rephrasing the captions costs an untouched model over 6 % accuracy.",
        measured="accuracy with the standard template minus mean accuracy with unseen wordings, untouched",
        where={"check": "cost of rephrasing"},
        rule=Above(0.06),
        headline=True,
    ),
    of_wordings(
        "rephrasing-mitigated",
        "Closing the gap mitigates what rephrasing costs.",
        measured="mean accuracy with unseen wordings at α = 1 minus that untouched, paired",
        where={"check": "accuracy won back"},
        rule=Rises(0.005),
        headline=True,
    ),
    of_wordings(
        "rephrasing-agreement",
        "Closing the gap lets more answers survive rephrasing.",
        measured="mean share of answers that survive rephrasing at α = 1 minus that untouched, paired",
        where={"check": "agreement won"},
        rule=Rises(0.005),
    ),
    of_wordings(
        "rephrasing-evens-out",
        "Closing the gap makes accuracy depend less on the wording.",
        measured="standard deviation of the accuracy over wordings at α = 1 minus that untouched, paired",
        where={"check": "spread of accuracy over wordings, closed minus untouched"},
        rule=Falls(0.002),
    ),
    Claim(
        "rephrasing-refit",
        "Control: a closer fitted again on each rephrased gallery has no effect at all.",
        source="follows from the paper's Theorem 3.5",
        table="rephrasing.checks",
        measured="share of answers that differ from the untouched answers to the same wording",
        where={"check": "refitted: answers differ"},
        label=("dataset", "task"),
        rule=Within(0.0),
        origin="derived here",
    ),
    Claim(
        "retrieval-accuracy-kept",
        "Retrieval: closing the gap costs no recall, at full rank.",
        source="the paper, Theorem 3.5, applied to retrieval",
        table="retrieval",
        column="recall_change",
        measured="change of R@1 at α = 1, full rank",
        where={"alpha": 1.0, "rank": "full", "level": MIDDLE},
        label=("dataset", "direction"),
        rule=Within(0.0, 0.005),
    ),
    Claim(
        "retrieval-gain",
        "Retrieval: closing the gap makes the first hit more robust, both ways.",
        source="the paper's Fig. 8, applied to retrieval",
        table="retrieval",
        column="gain",
        measured="robustness at α = 1 minus robustness untouched, paired, full rank",
        where={"alpha": 1.0, "rank": "full", "level": CALIBRATED},
        label=("dataset", "direction", "level"),
        rule=Rises(0.01),
    ),
    Claim(
        "wider-gains-more",
        "Models with a wider gap gain more from closing it, at matched untouched robustness.",
        source="the paper, §3.2 and Theorem 3.4: the natural experiment",
        table="family.checks",
        measured="rank correlation of ‖g‖ and gain over settings and seeds; interval over seeds, widest over leaving out one setting",
        where={"check": "gap and gain"},
        label=("dataset", "level"),
        rule=Rises(0.5),
        about="family",
        headline=True,
    ),
    Claim(
        "real-wider-gains-more",
        "Over published models, those with a wider gap gain more from closing it, at matched untouched robustness.",
        source="the paper, §3.2 and Theorem 3.4: the natural experiment, on real models",
        table="real-models.checks",
        measured="rank correlation of ‖g‖ and gain over models, ± what 95 % of all orders of the models stay below (low end above 0: permutation p < 0.05)",
        where={"check": "gap and gain"},
        label=("dataset", "level"),
        rule=Rises(0.5),
        about="family",
        headline=True,
    ),
)
