import copy

import pytest
from nbformat.v4 import new_code_cell

from teaching.notebooks import grade_id
from teaching.shortcuts import shortcuts
from tests.teaching.local import NAMES


def found(notebook, source):
    return [(fault.cell, fault.detail) for fault in shortcuts(notebook, source)]


def answered(perfect, cell_id, source):
    notebook = copy.deepcopy(perfect)
    next(cell for cell in notebook.cells if grade_id(cell) == cell_id).source = source
    return notebook


@pytest.mark.parametrize("name", NAMES)
def test_model_answers_and_stubs_take_no_shortcut(name, perfect, stubs, sources):
    assert found(perfect[name], sources[name]) == []
    assert found(stubs[name], sources[name]) == []


@pytest.mark.parametrize(
    "source",
    [
        "def gap_vector(x, y):\n    return gapkit.gap_vector(x, y)",
        "from gapkit import gap_vector",
        "from gapkit.geometry import gap_vector as own\ngap_vector = own",
        "import gapkit as g\ngap_vector = lambda x, y: g.geometry.gap_vector(x, y)",
        "def gap_vector(x, y):\n    import gapkit.geometry as measure\n    return measure.gap_vector(x, y)",
        "%%time\n!pip list\n%matplotlib inline\ngap_vector?\nfrom gapkit import gap_vector\nif True:\n    %time gap_vector",
    ],
)
def test_gapkits_own_function_as_an_answer_is_noticed(source, perfect, sources):
    ((cell, said),) = found(answered(perfect["A1"], "a1-gap-vector", source), sources["A1"])
    assert cell == "a1-gap-vector"
    assert said.endswith("gap_vector")


def test_a_name_imported_in_one_cell_is_noticed_where_another_uses_it(perfect, sources):
    notebook = answered(perfect["A1"], "a1-gap-vector", "gap_vector = hidden")
    notebook.cells.insert(3, new_code_cell("from gapkit.geometry import gap_vector as hidden"))
    assert found(notebook, sources["A1"]) == [("a1-gap-vector", "gapkit.geometry.gap_vector")]


@pytest.mark.parametrize(
    "source",
    [
        "from gapkit.robustness import reference\ndef exact(q, g, s):\n    return reference.euclidean(q, g, s)",
        "from gapkit.robustness.reference import euclidean as exact",
        "parts = gapkit.robustness\ndef exact(q, g, s):\n    return parts.reference.euclidean(q, g, s)",
        "import importlib\nparts = importlib.import_module('gapkit.robustness.reference')\nexact = parts.euclidean",
        "exact = getattr(gapkit, 'robustness')",
    ],
)
def test_the_exact_robustness_is_taken_from_the_reference_or_by_a_roundabout_way(source, perfect, sources):
    ((cell, said),) = found(answered(perfect["A3"], "a3-exact", source), sources["A3"])
    assert cell == "a3-exact"
    assert said.startswith("gapkit.robustness")


def test_only_numerics_are_answers(perfect, sources):
    for source, said in (
        ("from gapkit.check import gap as hidden", "gapkit.check.gap"),
        ("picture = gapkit.plots.plot_pca", "gapkit.plots.plot_pca"),
        ("gapkit.check.rmg.reference", "gapkit.check.rmg.reference"),
        ("from gapkit import embeddings\nembeddings.close_set", "gapkit.embeddings.close_set"),
    ):
        assert found(answered(perfect["A1"], "a1-plot-gap", source), sources["A1"]) == [("a1-plot-gap", said)]
    free = "from gapkit import embeddings, check\nembeddings.EmbeddingSet, check.gap_vector, check(gap_vector), gapkit.load_embeddings"
    assert found(answered(perfect["A1"], "a1-plot-gap", free), sources["A1"]) == []


def test_what_an_assignment_offers_is_free(perfect, sources):
    offered = "def experiment(*all):\n    return gapkit.GapCloser(), gapkit.robustness.robustness(*all)"
    assert found(answered(perfect["A5"], "a5-experiment", offered), sources["A5"]) == []


def test_code_that_is_none_and_other_modules_are_passed_over(perfect, sources):
    for source in (
        "def gap_vector(x, y",
        "import numpy as gapkit_\ngapkit_.geometry.rmg",
        "gapkit = 1\ngapkit.x",
    ):
        assert found(answered(perfect["A1"], "a1-gap-vector", source), sources["A1"]) == []
