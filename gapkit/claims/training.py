"""Claims about the gap itself: that it is there, whether it is orthogonal, and how training makes it."""

from functools import partial

from gapkit.claims.model import Claim
from gapkit.claims.rules import Above, Below, BelowBand, Within

# What several claims share.
of_theory = partial(Claim, table="theory", label=("level",), about="free embeddings")
of_training = partial(
    Claim, table="formation", label=("training", "check"), rule=Below(0.5), about="training runs"
)
of_direction = partial(
    Claim, table="orthogonality", label=("dataset", "side"), where={"quantity": "relative variance"}
)

TRAINING = (
    Claim(
        "gap-exists",
        "Images and texts lie in different places: the gap vector is not zero.",
        source="Liang et al. 2022; the paper, Eq. 4",
        table="gap",
        column="gap_norm",
        measured="length of the gap vector, ‖g‖, on held-out data",
        rule=Above(0.1),
        origin="earlier work",
        headline="Images and texts lie in different places",
    ),
    Claim(
        "gap-separable",
        "A linear classifier tells images from texts, on rows that it was not trained on.",
        source="Liang et al. 2022; Schrodi et al. 2025",
        table="gap",
        column="separability",
        measured="balanced accuracy on held-out rows, cross-validated",
        rule=Above(0.95),
        origin="earlier work",
    ),
    of_direction(
        "orthogonal-variance",
        "Neither modality varies along the gap direction (Assumption 3.3).",
        source="the paper, Assumption 3.3",
        measured="variance along g relative to an average direction; 0 is orthogonal, 1 as in any direction",
        rule=Below(0.1),
    ),
    of_direction(
        "orthogonal-chance",
        "The modalities vary less along the gap than along a random direction.",
        source="Assumption 3.3 of the paper, against chance",
        measured="variance along g relative to an average direction, against the band of random directions",
        rule=BelowBand(),
        origin="derived here",
        headline="Less varies along the gap than by chance",
    ),
    Claim(
        "outside-subspace",
        "The gap lies outside the principal components of the texts, more than a random direction would.",
        source="Assumption 3.3 of the paper, against chance",
        table="orthogonality",
        measured="share of ‖g‖ inside the top-k components of the texts, against the Beta band",
        where={"quantity": "subspace share", "side": "texts"},
        label=("dataset", "k"),
        rule=BelowBand(),
        origin="derived here",
    ),
    of_theory(
        "theorem-3.1",
        "For tight clusters far apart the gradient along g is that of Theorem 3.1, 4/(Nτ²) [g·(y−μ)] g.",
        source="the paper, Theorem 3.1 (constant derived: 4/(Nτ²))",
        measured="slope of the exact gradient along g on the formula, τ = 0.01",
        where={"check": "theorem 3.1: slope"},
        rule=Within(1.0, 0.01),
        kind="identity",
    ),
    of_theory(
        "theorem-3.1-residual",
        "In that regime little of the gradient along g is left over.",
        source="the paper, Theorem 3.1",
        measured="residual of the gradient along g relative to the formula, τ = 0.01",
        where={"check": "theorem 3.1: residual"},
        rule=Below(0.03),
        kind="identity",
    ),
    of_theory(
        "theorem-3.1-dominates",
        "In that regime the part along g dominates the gradient: what lies off g is small beside it.",
        source="the paper, Theorem 3.1",
        measured="norm of the gradient off g relative to the norm of the gradient along g, τ = 0.01",
        where={"check": "theorem 3.1: off the gap"},
        rule=Below(0.1),
        kind="identity",
    ),
    of_theory(
        "theorem-3.2",
        "With doubly stochastic Q and both modalities constant along v, the gradient along v vanishes.",
        source="the paper, Theorem 3.2",
        measured="largest gradient along v, relative to the largest gradient, on cyclic orbits",
        where={"check": "theorem 3.2: gradient along v"},
        rule=Below(1e-10),
        kind="identity",
    ),
    of_theory(
        "variance-goes-first",
        "Free embeddings lose the variance along the gap first, within ten steps.",
        source="the paper, §3.1 and Fig. 3",
        measured="variance along g after ten steps relative to an average direction",
        where={"check": "free embeddings: variance along g at step 10"},
        rule=Below(0.05),
    ),
    of_theory(
        "partners-align",
        "They go on to align with their partners until every one is found.",
        source="the paper, §3.1 and Fig. 3",
        measured="accuracy at the last step of gradient descent without the sphere",
        where={"check": "free embeddings: accuracy at the end"},
        rule=Above(0.99),
    ),
    of_theory(
        "gap-freezes",
        "Meanwhile the gap of free embeddings is frozen.",
        source="the paper, §3.1 and Fig. 3",
        measured="change of ‖g‖ from step 100 to the last step of gradient descent without the sphere",
        where={"check": "free embeddings: change of the gap"},
        rule=Below(0.0001),
    ),
    of_theory(
        "gap-drifts-on-sphere",
        "On the unit sphere the gap is not frozen but goes on shrinking.",
        source="derived here: the sphere's constraint is not in Theorem 3.2",
        measured="change of ‖g‖ from step 100 to the last step of gradient descent on the sphere",
        where={"check": "on the sphere: change of the gap"},
        rule=Above(0.01),
        origin="derived here",
    ),
    of_theory(
        "collapse-not-needed",
        "A gap stays without dimensional collapse: an isotropic start far apart keeps one.",
        source="the paper, §3 (collapse is not necessary)",
        measured="‖g‖ at the end on the sphere, from wide isotropic clusters far apart",
        where={"check": "isotropic start: gap at the end"},
        rule=Above(0.1),
    ),
    of_theory(
        "collapse-not-enough",
        "Dimensional collapse alone makes no gap: a collapsed start around one centre ends without one.",
        source="the paper, §3 (collapse is not sufficient)",
        measured="‖g‖ at the end on the sphere, from collapsed clusters around one centre",
        where={"check": "collapsed start without a gap: gap at the end"},
        rule=Below(0.1),
    ),
    Claim(
        "gap-at-start",
        "Random initialisation alone puts the modalities apart (the cone effect).",
        source="Liang et al. 2022; the paper, §3",
        table="formation",
        measured="‖g‖ on held-out pairs before the first training step",
        where={"check": "gap at step 0"},
        label=("training",),
        rule=Above(0.1),
        origin="earlier work",
        about="training runs",
    ),
    of_training(
        "variance-shrinks",
        "Training shrinks the variance along the gap more than the variance in other directions.",
        source="the paper, Theorem 3.1 and Figs. 4, 5",
        measured="relative variance along g at the end of training over that before it",
        where={
            "check": ("variance along g, end over start, images", "variance along g, end over start, texts")
        },
    ),
    of_training(
        "variance-shrinks-first",
        "The variance along the gap goes first: it has fallen before the pairs are aligned.",
        source="the paper, Theorem 3.1 and Figs. 4, 5",
        measured="relative variance along g at the first recorded step with half of the final accuracy over that before training",
        where={
            "check": (
                "variance along g, half accuracy over start, images",
                "variance along g, half accuracy over start, texts",
            )
        },
    ),
    of_training(
        "doubly-stochastic-late",
        "Q comes close to doubly stochastic late in training, not early.",
        source="the paper, Fig. 6",
        measured="doubly-stochastic defect at the end over its largest value (late), and over that at the start (not early)",
        where={"check": ("defect at the end over the largest", "defect at the end over that at the start")},
    ),
    Claim(
        "temperature-decides",
        "The lower the final temperature, the wider the final gap.",
        source="the paper, §3; Yaras et al. 2024",
        table="formation.checks",
        measured="rank correlation of the final temperature with −‖g‖ over the softmax models, ± what 95 % of all orders stay below",
        where={"check": "temperature and gap"},
        rule=Above(0.0),
        origin="earlier work",
        about="family",
    ),
)
