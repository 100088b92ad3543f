"""Names that have changed: an old one works on, with a warning that says the new one.

A line of `RENAMED` holds the old dotted name, of anything public or of a whole module, and the new one. Two things ask
for it: a package's face, with ``__getattr__ = renamed(__name__)``, and the import of a module that is no longer there.
What has gone for good has a sentence, with a space in it, in place of a new name; asking for it raises with that sentence.
"""

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType

RENAMED: dict[str, str] = {
    # geometry
    "gapkit.geometry.Streamed": "gapkit.geometry.summary.Streamed",
    "gapkit.geometry.GramPoints": "gapkit.geometry.gram.GramPoints",
    "gapkit.geometry.Cone": "gapkit.geometry.shape.Cone",
    # contrastive
    "gapkit.contrastive.logit_scale_from_tau": "the logit scale is 2 / tau",
    "gapkit.contrastive.temperature_from_tau": "the temperature is tau / 2",
    "gapkit.contrastive.usual_gap_and_spread": "gapkit.contrastive.initialisation.usual_gap_and_spread",
    "gapkit.contrastive.STARTS": "gapkit.contrastive.initialisation.STARTS",
    "gapkit.contrastive.Trajectory": "gapkit.contrastive.dynamics.Trajectory",
    "gapkit.contrastive.TheoremFit": "gapkit.contrastive.gradient.TheoremFit",
    # perturbations
    "gapkit.perturbations.covariance_root": "gapkit.perturbations.gaussian.covariance_root",
    "gapkit.perturbations.as_generator": "gapkit.perturbations.base.as_generator",
    # robustness
    "gapkit.robustness.RobustnessInfo": "gapkit.robustness.api.RobustnessInfo",
    # closing
    "gapkit.closing.Selection": "gapkit.closing.selection.Selection",
    "gapkit.closing.ClosedModel": "gapkit.closing.closed_model.ClosedModel",
    "gapkit.close_gap": "gapkit.close_model",
    "gapkit.closing.close_gap": "gapkit.closing.close_model",
    # tasks
    "gapkit.tasks.corrected_gain": "gapkit.geometry.Resamples(…).gain corrects the gain of each query",
    # claims
    "gapkit.claims.combine_models": "gapkit.claims.overall combines the cells of all models",
    # engine
    "gapkit.experiments.processes": "gapkit.engine",
    "gapkit.experiments.processes.as_done": "gapkit.engine.run",
    # embeddings
    "gapkit.embeddings.fetch_coco500": "gapkit.embeddings.fetch_embeddings",
    "gapkit.embeddings.COCO500_NAMES": "gapkit.embeddings.published_sets() knows every published set by name",
    "gapkit.embeddings.using": "gapkit.embeddings.evaluation",
    "gapkit.embeddings.FORMAT_VERSION": "gapkit.embeddings.files.FORMAT_VERSION",
    # datasets
    "gapkit.datasets.BUILDERS": "list_datasets() names the datasets that load_dataset knows",
    "gapkit.datasets.STANDINS": "gapkit.datasets.registry.BUILTIN_DATASETS",
    "gapkit.datasets.standins": "gapkit.datasets.builtin",
    "gapkit.datasets.digits": "gapkit.datasets.builtin",
    "gapkit.datasets.templates": "gapkit.datasets.captions",
    "gapkit.datasets.aokvqa": "gapkit.datasets.coco",
    "gapkit.datasets.base": "gapkit.datasets.dataset",
    # encoders
    "gapkit.encoders.catalogue": "gapkit.encoders.names",
    "gapkit.encoders.preprocessing": "OpenCLIP's own preprocessing is used as it is",
    # miniclip
    "gapkit.miniclip.Tokeniser": "gapkit.miniclip.data.Tokeniser",
    "gapkit.miniclip.normalise_pixels": "gapkit.miniclip.data.normalise_pixels",
    "gapkit.miniclip.curves": "gapkit.miniclip.family",
    # experiments
    "gapkit.experiments.TRAINED": "gapkit.miniclip.TRAINED has the settings, gapkit.miniclip.run_name their models",
    "gapkit.experiments.EXPERIMENTS": "gapkit.experiments.experiments() finds them all",
    "gapkit.experiments.calibration": "gapkit.experiments.protocol",
    "gapkit.experiments.comparison": "gapkit.experiments.closers",
    "gapkit.experiments.draws": "gapkit.experiments.protocol",
    "gapkit.experiments.intervals": "gapkit.geometry",
    "gapkit.experiments.intervals.Estimate": "gapkit.geometry.Interval",
    "gapkit.experiments.intervals.columns": "gapkit.experiments.protocol.columns",
    "gapkit.experiments.levels": "gapkit.experiments.protocol",
    "gapkit.experiments.levels.BINS": "gapkit.experiments.quantisation.BINS",
    "gapkit.experiments.registry": "gapkit.experiments.record",
    "gapkit.experiments.registry.EXPERIMENTS": "gapkit.experiments.experiments() finds them all",
    "gapkit.experiments.replication": "gapkit.experiments.sweep",
    "gapkit.experiments.rows": "gapkit.experiments.protocol",
    "gapkit.experiments.subject": "gapkit.experiments.data",
    "gapkit.experiments.subject.load_subject": "gapkit.experiments.data.load_set",
    "gapkit.experiments.subject.using": "give gapkit.experiments.plan the files that prepare has made",
    "gapkit.experiments.subject.data_hash": "a planned job carries the sha256 of its bytes",
    # claims
    "gapkit.claims.Measure": "a gapkit.claims.Claim holds table, column, where, label and measured itself",
    "gapkit.claims.codes": "gapkit.claims.beyond",
    "gapkit.claims.formation": "gapkit.claims.training",
    "gapkit.claims.gap": "gapkit.claims.training",
    "gapkit.claims.metrics": "gapkit.claims.closing",
    "gapkit.claims.verdicts": "gapkit.claims",
    # plots
    "gapkit.plots.plot_boundary_3d": "gapkit.plots.plot_boundary(…, dimension=3) draws it",
    "gapkit.plots.plot_regime": "gapkit.plots.plot_theorem_fit",
    "gapkit.plots.FramePlayer": "gapkit.plots.dynamics.FramePlayer",
    "gapkit.plots.frames": "gapkit.plots.dynamics",
    "gapkit.plots.limits": "gapkit.plots.experiments",
    "gapkit.plots.orthogonality": "gapkit.plots.geometry",
    # widgets
    "gapkit.widgets.Outcome": "gapkit.closing.ClosingOutcome",
    "gapkit.widgets.plot_closing": "gapkit.plots.plot_closing",
    # check
    "gapkit.check.Passed": "gapkit.check.engine.Passed",
    # report
    "gapkit.report.readme": "python tools/results.py, in a clone of the repository, writes the table of results",
    "gapkit.report.results_table": "python tools/results.py, in a clone of the repository, writes the table of results",
    "gapkit.report.update_readme": "python tools/results.py, in a clone of the repository, writes the table of results",
    "gapkit.report.cells": "gapkit.report.sections",
    "gapkit.report.compare": "gapkit.report.record",
    "gapkit.report.pictures": "gapkit.report.sections",
    "gapkit.report.picture": "gapkit.report.sections",
    "gapkit.report.svg": "gapkit.report.sections",
    "gapkit.report.workspace": "gapkit.report.write",
    # cli
    "gapkit.cli.data": "python tools/data.py, in a clone of the repository, makes and checks the shipped data",
    "gapkit.shipping": "python tools/data.py, in a clone of the repository, makes and checks the shipped data",
    # grading
    "gapkit.grading": "grading is for a clone of the repository: python -m teaching",
}
"""Old dotted name to new dotted name."""

LEFT_THE_FACE: dict[str, str] = {
    "gapkit.check.axes": "must_be_labelled must_not_be_swapped",
    "gapkit.check.engine": "CheckFailed",
    "gapkit.claims.decide": "FAMILY Finding combine is_control",
    "gapkit.claims.model": "Claim",
    "gapkit.claims.rules": "Above BelowBand Falls Rises Rule Within",
    "gapkit.closing.advice": "Advice Lever",
    "gapkit.closing.base": "Closer",
    "gapkit.closing.baselines": "Centring Procrustes Standardisation",
    "gapkit.closing.published": "GRCLIP I0T MeanDirectionRemoval ReAlign RenormalisedShift SpanProjection",
    "gapkit.closing.shifts": "HalfwayShift",
    "gapkit.contrastive.loss": "tau_from_logit_scale tau_from_temperature",
    "gapkit.datasets.captions": "scene_captions",
    "gapkit.datasets.images": "ArrayImages FileImages",
    "gapkit.datasets.registry": "BUILTIN_DATASETS dataset_options",
    "gapkit.datasets.scenes": "render sample_scenes",
    "gapkit.embeddings.convert": "import_gram",
    "gapkit.embeddings.evaluation": "measure_set",
    "gapkit.embeddings.library": "embeddings_file",
    "gapkit.embeddings.published": "Published differing find_published",
    "gapkit.encoders.embedding": "embed_to_file",
    "gapkit.encoders.model": "Model",
    "gapkit.encoders.names": "PRESETS list_models",
    "gapkit.experiments.data": "Task load_set",
    "gapkit.experiments.plan": "DATASETS SHIPPED prepare",
    "gapkit.experiments.record": "Experiment experiment",
    "gapkit.experiments.sweep": "JobStore Replication Result",
    "gapkit.geometry.bootstrap": "bootstrap_interval draw_weights",
    "gapkit.geometry.gram": "points_from_gram",
    "gapkit.geometry.neighbours": "METRICS",
    "gapkit.geometry.resampled": "gap_interval resampled_shares resampled_variances",
    "gapkit.geometry.shape": "alignment effective_rank uniformity",
    "gapkit.geometry.summary": "measure_stream",
    "gapkit.miniclip.data": "TrainingData held_out_pairs",
    "gapkit.miniclip.family": "PREPROCESS_CONFIG Setting build",
    "gapkit.miniclip.training": "train",
    "gapkit.perturbations.base": "Perturbation",
    "gapkit.plots.experiments": "plot_chance",
    "gapkit.plots.style": "png",
    "gapkit.report.record": "command_line compare_records to_json",
    "gapkit.report.view": "GLYPHS build_summary short_model",
    "gapkit.report.write": "FORMATS Workspace",
    "gapkit.robustness.law": "effective_noise predict_metric",
    "gapkit.tasks.classification": "answer_multiple_choice",
    "gapkit.tasks.galleries": "block_interval calibrate_in_galleries cut_galleries nearest_in_galleries robustness_in_galleries unrepeated_rows",
    "gapkit.tasks.retrieval": "retrieval_ranks",
    "gapkit.widgets.panel": "View choice slider",
}
"""Module to the names that its package no longer offers: they are still there."""
RENAMED |= {
    f"{module.rpartition('.')[0]}.{name}": f"{module}.{name}"
    for module, names in LEFT_THE_FACE.items()
    for name in names.split()
}


def renamed(module: str, otherwise: Callable[[str], object] | None = None) -> Callable[[str], object]:
    """The ``__getattr__`` of a module some of whose names have changed.

    Parameters
    ----------
    module : its ``__name__``
    otherwise : a ``__getattr__`` that it has already, such as lazy_loader's; asked where no name has changed

    Examples
    --------
    >>> renamed("gapkit.closing")("GapClozer")
    Traceback (most recent call last):
    ...
    AttributeError: module 'gapkit.closing' has no attribute 'GapClozer'
    """

    def __getattr__(name: str) -> object:
        old = f"{module}.{name}"
        if old in RENAMED:
            return _look_up(old, RENAMED[old], stacklevel=3)
        if module in RENAMED and not name.startswith("__"):  # the whole module has moved
            return getattr(importlib.import_module(RENAMED[module]), name)
        if otherwise is not None:
            return otherwise(name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return __getattr__


def _look_up(old: str, new: str, *, stacklevel: int) -> object:
    if " " in new:
        raise AttributeError(f"{old} is gone: {new}")
    warnings.warn(f"{old} is now called {new}", DeprecationWarning, stacklevel=stacklevel)
    try:
        return importlib.import_module(new)
    except ModuleNotFoundError as missing:
        if not f"{new}.".startswith(f"{missing.name}."):  # it is there, and imports something that is not
            raise
    module, _, name = new.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


class OldModules:
    """Imports of modules that have been renamed, or taken apart: they ask finders, never a package's ``__getattr__``.

    The last finder of all, so it is asked only for what does not exist.
    """

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        """How to load the old module ``name``; None if there never was one."""
        if not any(old == name or old.startswith(f"{name}.") for old in RENAMED):
            return None
        if " " in RENAMED.get(name, ""):
            raise ModuleNotFoundError(f"{name} is gone: {RENAMED[name]}", name=name)
        if name in RENAMED and not _is_module(RENAMED[name]):
            return None  # a function or a constant: its package's face knows it
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> None:
        """An ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the old module with nothing but the way to the new names."""
        module.__getattr__ = renamed(module.__name__)  # type: ignore[method-assign]
        if module.__name__ in RENAMED:
            _look_up(module.__name__, RENAMED[module.__name__], stacklevel=3)


if not any(isinstance(finder, OldModules) for finder in sys.meta_path):
    sys.meta_path.append(OldModules())
