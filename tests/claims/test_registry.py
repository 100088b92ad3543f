import pytest

from gapkit.claims import CLAIMS, claim
from gapkit.claims.decide import select
from gapkit.claims.registry import read_claims
from gapkit.claims.rules import Rises
from gapkit.errors import InputError
from gapkit.experiments import experiments
from gapkit.experiments.family import compare_family
from gapkit.experiments.formation import _checks, compare_temperatures
from gapkit.experiments.real_models import compare_models
from gapkit.report.sections import sections
from tests.experiments.test_experiments import members
from tests.experiments.toys import *  # noqa: F403  (fixtures)


def test_claims_are_named_once_and_belong_to_an_experiment():
    names = [one.id for one in CLAIMS]
    assert len(set(names)) == len(names)
    assert {claim.experiment for claim in CLAIMS} <= {record.name for record in experiments()}
    assert all(one.statement.endswith(".") and one.source and one.rule.words() for one in CLAIMS)


def test_an_experiment_answers_no_claim_or_has_no_section():
    names = [record.name for record in experiments()]
    assert set(names) == {claim.experiment for claim in CLAIMS} == set(sections())
    assert len(set(names)) == len(names)
    assert len({record.order for record in experiments()}) == len(names)


@pytest.fixture(scope="module")
def every_table(tables):
    import pandas as pd

    def curve_of(setting):
        return [
        {"step": s, "accuracy": s / 2, "gap": 1.0 - setting / 4, "temperature": 0.1 * (setting + 1), "one_sided_defect": 0.5,
         "variance_along_gap_images": 1.0, "variance_along_gap_texts": 1.0}
        for s in range(3)
        ]  # fmt: skip

    rows = [
        {"model": f"miniclip-{s}", "run": r, "training": f"seed {r}", **row}
        for i, s in enumerate(("x", "y", "z"))
        for r in range(3)
        for row in _checks(curve_of(i))
    ]
    formation = pd.DataFrame(rows)
    checks = {"family.checks": compare_family(members(), 0)}
    sets = [
        {"model": f"m{i}", "dataset": f"coco-{i}", "gap_norm": 0.1 * i, "gain": 0.01 * i} for i in range(7)
    ]
    checks["real-models.checks"] = compare_models(pd.DataFrame(sets).assign(level="untouched 0.7"), 0)
    checks["formation.checks"] = compare_temperatures(formation, 0)
    kinds = tables["noise-kinds"]  # of shipped models alone is there another seed
    stale = kinds.query("noise == 'isotropic' and metric == 'euclidean'").assign(noise="stale rows")
    tables = {**tables, "noise-kinds": pd.concat([kinds, stale])}
    return {**tables, "formation": formation, **{name: pd.DataFrame(rows) for name, rows in checks.items()}}


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.id)
def test_every_claim_finds_the_rows_and_the_column_it_reads(one, every_table):
    """A mistyped table, column, level or check would leave a claim undecidable for ever, silently."""
    rows = select(every_table[one.table], one)
    assert len(rows)
    assert one.column in rows
    assert rows[one.column].notna().any()
    for column, wanted in one.where.items():
        found = set(rows[column])
        assert found == (set(wanted) if isinstance(wanted, tuple) else {wanted})
    labels = rows[[name for name in ("model", *one.label) if name in rows]]
    datasets = rows.get("dataset")
    if datasets is None or datasets.nunique() == 1:
        assert not labels.duplicated().any(), "the label does not tell the claim's cells apart"


def test_unknown_claim_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'answers-kept'"):
        claim("answer-kept")


ENTRY = 'id = "a"\nstatement = "A."\nsource = "s"\ntable = "noise"\nmeasured = "m"\nrule = ["rises", 0.01]\n'


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ((ENTRY, ENTRY + "smallest = 1\n"), "claim 'a': .*unexpected keyword argument 'smallest'"),
        (('source = "s"\n', ""), "claim 'a': .*missing .*'source'"),
        (("rises", "raises"), "rule of claim 'a' must be one of .*did you mean 'rises'"),
        ((", 0.01", ""), "claim 'a': .*missing .*'edge'"),
        ((ENTRY, ENTRY + 'kind = "identy"\n'), "kind of claim 'a' must be one of .*did you mean 'identity'"),
        ((ENTRY, f"{ENTRY}[[claims]]\n{ENTRY}"), "two claims are called 'a'"),
    ],
)
def test_a_mistyped_entry_is_taken(changed, message):
    text = f"[tables]\n[[claims]]\n{ENTRY}"
    assert read_claims(text)[0].rule == Rises(0.01)
    with pytest.raises(InputError, match=message):
        read_claims(text.replace(*changed))


def test_an_entry_does_not_take_what_its_table_says_or_cannot_say_otherwise():
    shared = '[tables.noise]\nlabel = ["level"]\norigin = "derived here"\n'
    (taken,) = read_claims(f"{shared}[[claims]]\n{ENTRY}")
    (said,) = read_claims(f'{shared}[[claims]]\n{ENTRY}origin = "paper"\nwhere.level = ["a", "b"]\n')
    assert (taken.label, taken.origin, said.label, said.origin) == (
        ("level",),
        "derived here",
        ("level",),
        "paper",
    )
    assert said.where == {"level": ("a", "b")}
