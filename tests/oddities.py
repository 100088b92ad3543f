"""Every public name of floor 1 with one sound call, and what may stand in the place of each of its arguments.

`main` tries them all and prints what is neither a result in range nor one line of `InputError`. A script as well as a
module: users have no checker of annotations, and tests do.
"""

import contextlib
import math
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse
import torch

import gapkit
from gapkit import closing, contrastive, geometry, perturbations, robustness, tasks
from gapkit.geometry.bootstrap import bootstrap_interval
from gapkit.geometry.streaming import measure_stream
from gapkit.tasks.retrieval import retrieval_ranks

INF = math.inf
ADDRESS_SPACE = 6 * 2**30
HUGE = 10**12


class Hostile:
    """Counts as nothing, and its repr takes several lines."""

    def __repr__(self) -> str:
        return "one\ntwo\r\x1b[31m" + "x" * 5000


def matrices(good: np.ndarray) -> Iterator[tuple[str, Any]]:
    """(what it is, the value): what callers bring in the place of ``good``, an array of floats of any shape."""
    t = torch.from_numpy(good.copy())
    yield from numbers_of_other_kinds(good, t)
    yield "list", good.tolist()
    yield "Fortran order", np.asfortranarray(good)
    yield "negative strides", good[::-1][..., ::-1]
    yield "every other", np.repeat(good, 2, axis=0)[::2]
    yield "requires grad", t.clone().requires_grad_()
    yield "conjugate view", torch.complex(t, t).real
    yield "negative view", torch._neg_view(t)
    yield "sparse", t.to_sparse()
    if good.ndim == 2:
        yield "sparse rows", t.to_sparse_csr()
        yield "scipy sparse", scipy.sparse.csr_array(good)
        yield "ragged", [[1.0, 2.0], [3.0]]
        yield "np.matrix", np.asmatrix(good)
        yield "list of tensors", list(t)
    yield "nested tensor", torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)
    for value in (math.nan, INF, -INF, 1.7e308, -1.7e308, 1e200, 1e155, 1e-155, 1e-308, 5e-324):
        spoilt = good.copy()
        spoilt.flat[0] = value
        yield f"an entry of {value:g}", spoilt
        yield f"all {value:g}", np.full_like(good, value)
    for scale in (1e308, 1e160, 1e75, 1e-75, 1e-160, 1e-308):
        yield f"times {scale:g}", good / np.abs(good).max() * scale
    yield "all zero", np.zeros_like(good)
    yield "all equal", np.ones_like(good)
    yield "equal rows", np.repeat(good[:1], len(good), axis=0)
    yield "empty", good[:0]
    yield "no columns", good[..., :0]
    yield "one row", good[:1]
    yield "0-d", np.array(1.0)
    yield "one dimension more", good[None]
    yield "one dimension less", good[0]
    yield "wider", np.concatenate([good, good], axis=-1)
    yield from things()


def numbers_of_other_kinds(good: np.ndarray, t: torch.Tensor) -> Iterator[tuple[str, Any]]:
    """``good`` in every dtype, and in containers that hide numbers."""
    for kind in (
        "f2",
        "f4",
        "f8",
        ">f8",
        "g",
        "i1",
        "i8",
        ">i4",
        "u1",
        "u2",
        "u4",
        "u8",
        "?",
        "c8",
        "c16",
        "O",
        "U",
        "S",
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield f"numpy {kind}", np.abs(good).astype(kind)
    yield "dates", np.abs(good).astype("i8").astype("M8[D]")
    yield "spans of time", np.abs(good).astype("i8").astype("m8[D]")
    yield "records", np.zeros(good.shape, dtype=[("a", "f8")])
    yield "half overflows", np.full_like(good, 6e4, dtype="f2")
    yield "masked", np.ma.masked_array(good, mask=good > good.mean())
    yield "masked nowhere", np.ma.masked_array(good)
    fixed = good.copy()
    fixed.flags.writeable = False
    yield "read-only", fixed
    names = "float16 bfloat16 float32 uint8 int16 int64 uint16 uint32 uint64 bool complex64 float8_e4m3fn float8_e5m2"
    for name in names.split():
        yield f"torch {name}", t.abs().to(getattr(torch, name))
    yield "quantised", torch.quantize_per_tensor(t.float(), 0.1, 0, torch.qint8)
    yield "meta", t.to("meta")


def things() -> Iterator[tuple[str, Any]]:
    """What is no array at all."""
    yield "None", None
    yield "word", "abc"
    yield "bytes", b"abc"
    yield "object", object()
    yield "hostile repr", Hostile()
    yield "dict", {"a": 1}
    yield "set", {1, 2}
    yield "function", len
    yield "generator", (i for i in range(3))
    yield "list of None", [None, None]
    yield "huge ints", [[10**400, 1], [2, 3]]
    yield "holds itself", _loop()
    yield "deep list", _deep()


def _loop() -> list:
    loop: list = []
    loop.append(loop)
    return loop


def _deep() -> list:
    deep: list = [1.0]
    for _ in range(100):
        deep = [deep]
    return deep


def indices(good: np.ndarray) -> Iterator[tuple[str, Any]]:
    """What stands for a vector of whole numbers."""
    t = torch.from_numpy(good.copy())
    yield from numbers_of_other_kinds(good, t)
    yield "list", good.tolist()
    yield "tuple", tuple(good.tolist())
    yield "reversed", good[::-1]
    yield "every other", np.repeat(good, 2)[::2]
    yield "negative", good - 100
    yield "too large", good + 100
    for value in (2**31, 2**32 + 1, 2**63 - 1, -(2**63)):
        yield f"all {value}", np.full_like(good, value)
    yield "all 2**63", np.full(len(good), 2**63, dtype="u8")
    yield "2**63 in a list", [2**63] * len(good)
    yield "2**64 in a list", [2**64] * len(good)
    yield "huge in a list", [10**400] * len(good)
    yield "torch 2**63", torch.from_numpy(np.full(len(good), 2**63, dtype="u8"))
    yield "empty", good[:0]
    yield "0-d", np.array(0)
    yield "number", 0
    yield "matrix", good[None]
    yield "shorter", good[:-1]
    yield from things()


def numbers(_: Any) -> Iterator[tuple[str, Any]]:
    """What stands for one number."""
    for value in (
        0,
        1,
        -1,
        0.5,
        2.5,
        1e-308,
        5e-324,
        1e-60,
        1e60,
        1e160,
        1e308,
        math.nan,
        INF,
        -INF,
        True,
        False,
        10**400,
    ):
        yield f"{value if not isinstance(value, int) or value < 10**9 else '10**400'}", value
    yield "None", None
    yield "numpy half", np.float16(0.5)
    yield "numpy bool", np.bool_(True)
    yield "0-d array", np.array(0.5)
    yield "one-entry array", np.array([0.5])
    yield "two entries", np.array([0.5, 0.5])
    yield "complex", 1 + 1j
    yield "masked", np.ma.masked
    for name in ("float32", "float16", "uint64", "bool", "complex64", "float8_e4m3fn"):
        yield f"torch {name}", torch.tensor(1).to(getattr(torch, name))
    yield "requires grad", torch.tensor(0.5, requires_grad=True)
    yield "meta", torch.tensor(0.5, device="meta")
    yield "quantised", torch.quantize_per_tensor(torch.tensor(0.5), 0.1, 0, torch.qint8)
    yield "date", np.datetime64("2026-01-01")
    yield from things()


def counts(_: Any) -> Iterator[tuple[str, Any]]:
    """What stands for a whole number."""
    for value in (
        0,
        1,
        -1,
        2,
        2.0,
        2.5,
        True,
        np.True_,
        math.nan,
        INF,
        1e300,
        2**31,
        2**63,
        2**64,
        HUGE,
        -HUGE,
        10**400,
    ):
        yield f"{value:g}" if isinstance(value, float) else str(value)[:30], value
    for value in (
        np.uint8(3),
        np.int64(3),
        np.array(3),
        np.array([3]),
        np.float32(3),
        torch.tensor(3),
        np.uint64(2**63),
    ):
        yield f"{type(value).__name__} {value}", value
    yield "complex", 3 + 0j
    yield "meta", torch.tensor(3, device="meta")
    yield "masked", np.ma.masked
    yield "date", np.datetime64("2026-01-01")
    yield from things()


def words(_: Any) -> Iterator[tuple[str, Any]]:
    """What stands for one of a few words."""
    yield from (
        ("empty", ""),
        ("lines", "a\nb\x00\x1b[2J"),
        ("long", "x" * 5000),
        ("number", 3),
        ("list", ["euclidean"]),
    )
    yield "array", np.array(["euclidean", "dot"])
    yield from things()


@dataclass
class Call:
    """One public name: a sound call, and the kind of each argument that is tried.

    Attributes
    ----------
    low, high : where every number of a result must lie
    nan : whether NaN is a documented answer
    """

    function: Callable
    arguments: dict[str, Any]
    kinds: dict[str, Callable]
    low: float = -INF
    high: float = INF
    nan: bool = False
    first: tuple[str, ...] = field(default=())


RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 4)) + np.array([2, 0, 0, 0])
Y = RNG.standard_normal((6, 4))
STACK_X, STACK_Y = RNG.standard_normal((2, 3, 5, 4))
LABELS = np.array([0, 1, 2, 3, 4, 5])
UNIT = X / np.linalg.norm(X, axis=1, keepdims=True)
M, V, I, N, C, W = matrices, matrices, indices, numbers, counts, words
BAND = geometry.Band(1.0, 0.5, 2.0)


def _fit_and_move(make, X, Y, Z) -> tuple:
    closer = make().fit(X, Y)
    return (*closer.transform_pair(X, Y), *(() if closer.moves == "both" else (closer.transform(Z),)))


def _make(kind, X=X, Y=Y, **options):
    return kind(**options).fit(X, Y).transform_pair(X, Y)


def _apply(kind, embeddings, generator=0, **options):
    return kind(**options).apply(embeddings, generator=generator)


def _resamples(values, count=6, groups=None, draws=10, seed=0):
    drawn = geometry.Resamples(count, groups=groups, draws=draws, seed=seed)
    return drawn.mean(values), drawn.means(values), drawn.difference(values, values)


def _outcome(texts, images, labels, alpha, components, sigma, metric, moves):
    return closing.ClosingOutcome(texts, images, labels).closed(
        alpha=alpha, components=components, sigma=sigma, metric=metric, moves=moves
    )


def _sums(embeddings_x, embeddings_y, covariance=True):
    return measure_stream(embeddings_x, embeddings_y, covariance=covariance)


def _select(X, Y, grid, agreement, metric):
    rob = partial(gapkit.robustness, sigma=0.1)
    return closing.select_closer(
        closing.GapCloser(), X, Y, grid, robustness=rob, agreement=agreement, metric=metric
    ).table


class _Encoders(torch.nn.Module):
    def encode_image(self, image, normalize=False):
        return image

    encode_text = encode_image


def _close_model(model, closer, gallery):
    return closing.close_model(model, closer, gallery=gallery).encode_text(torch.ones(2, 4))


PAIR = {"x": X, "y": Y}
PAIR_KINDS = {"x": M, "y": M}
QG = {"queries": Y, "gallery": X}
QG_KINDS = {"queries": M, "gallery": M, "metric": W}
FEW = {"queries": Y[:2], "gallery": X[:3]}  # the cosine takes a while
STARTS = {"n": 5, "d": 3, "seed": 0}


def calls() -> dict[str, Call]:
    """Every name in the ``__all__`` of a face of floor 1 that computes something, and what is tried with it."""
    g, c, p, r, k, t = geometry, contrastive, perturbations, robustness, closing, tasks
    boot = {"groups": I, "resamples": C, "seed": C}
    table = {
        "geometry.Resamples": Call(
            _resamples, {"values": X[:, 0], "count": 6, "groups": LABELS, "draws": 10, "seed": 0},
            {"values": V, "count": C, "groups": I, "draws": C, "seed": C}),
        "geometry.bootstrap_interval": Call(
            lambda rows, **o: bootstrap_interval(rows, **o),
            {"rows": X[:, 0], "groups": LABELS, "resamples": 20, "confidence": 0.9, "method": "basic", "seed": 0, "least": 0.0},
            {"rows": V, "confidence": N, "method": W, "least": N, **boot}),
        "geometry.cone_statistics": Call(g.cone_statistics, {"z": X}, {"z": M}, nan=True),
        "geometry.draw_weights": Call(
            g.draw_weights, {"count": 6, "groups": LABELS, "resamples": 10, "seed": 0}, {"count": C, **boot}, 0, 1),
        "geometry.effective_rank": Call(g.effective_rank, {"z": X}, {"z": M}, 1, 8),
        "geometry.gap_axes": Call(
            g.gap_axes, {**PAIR, "across": 1, "spread_of": (X, Y)}, {**PAIR_KINDS, "across": C, "spread_of": M}),
        "geometry.gap_interval": Call(
            g.gap_interval, {**PAIR, "groups": LABELS, "resamples": 20, "seed": 0}, {**PAIR_KINDS, **boot}, 0),
        "geometry.gap_vector": Call(g.gap_vector, PAIR, PAIR_KINDS),
        "geometry.l2i": Call(g.l2i, PAIR, PAIR_KINDS, 0),
        "geometry.l2m": Call(g.l2m, PAIR, PAIR_KINDS, 0),
        "geometry.linear_separability": Call(
            g.linear_separability, {**PAIR, "folds": 2, "seed": 0}, {**PAIR_KINDS, "folds": C, "seed": C}, 0, 1),
        "geometry.matched_cosine": Call(g.matched_cosine, PAIR, PAIR_KINDS, -1, 1),
        "geometry.measure": Call(
            g.measure, {**PAIR, "intervals": True, "groups": LABELS, "resamples": 10, "confidence": 0.9, "seed": 0},
            {**PAIR_KINDS, "confidence": N, **boot}, nan=True),
        "geometry.measure_stream": Call(_sums, {"embeddings_x": X, "embeddings_y": Y}, {"embeddings_x": M, "embeddings_y": M}, nan=True),
        "geometry.nearest": Call(g.nearest, {**QG, "metric": "dot"}, QG_KINDS, 0, 11),
        "geometry.place_in_band": Call(g.place_in_band, {"low": 0.6, "high": 0.7, "band": BAND}, {"low": N, "high": N, "band": W}),
        "geometry.points_from_gram": Call(
            g.points_from_gram, {"gram": np.eye(4), "dimension": 4}, {"gram": M, "dimension": C}),
        "geometry.relative_spectrum": Call(g.relative_spectrum, {"z": X}, {"z": M}, 0, 8),
        "geometry.relative_variance": Call(
            g.relative_variance, {"z": X, "direction": Y[0]}, {"z": M, "direction": V}, 0, 8),
        "geometry.relative_variance_band": Call(
            g.relative_variance_band, {"z": X, "directions": 10, "confidence": 0.9, "seed": 0},
            {"z": M, "directions": C, "confidence": N, "seed": C}, 0, 8),
        "geometry.rmg": Call(g.rmg, PAIR, PAIR_KINDS, 0, 1, nan=True),
        "geometry.share_intervals": Call(
            g.share_intervals, {**PAIR, "components": [1, 2], "groups": LABELS, "resamples": 10, "seed": 0},
            {**PAIR_KINDS, "components": I, **boot}, 0, 1, nan=True),
        "geometry.subspace_share": Call(
            g.subspace_share, {"z": X, "direction": Y[0], "components": [1, 2]},
            {"z": M, "direction": V, "components": I}, 0, 1),
        "geometry.subspace_share, one k": Call(
            g.subspace_share, {"z": X, "direction": Y[0], "components": 2}, {"components": C}, 0, 1),
        "geometry.subspace_share_chance": Call(
            g.subspace_share_chance, {"components": 2, "dimension": 4, "confidence": 0.9},
            {"components": C, "dimension": C, "confidence": N}, 0, 1),
        "geometry.variance_intervals": Call(
            g.variance_intervals, {**PAIR, "groups": LABELS, "resamples": 10, "seed": 0}, {**PAIR_KINDS, **boot}, 0, 8, nan=True),
        "contrastive.contrastive_gradient": Call(
            c.contrastive_gradient, {**PAIR, "tau": 0.5, "kind": "sigmoid", "bias": -1.0},
            {**PAIR_KINDS, "tau": N, "kind": W, "bias": N}),
        "contrastive.contrastive_loss": Call(
            c.contrastive_loss, {**PAIR, "tau": 0.5, "kind": "sigmoid", "bias": -1.0},
            {**PAIR_KINDS, "tau": N, "kind": W, "bias": N}, 0),
        "contrastive.contrastive_loss, softmax": Call(c.contrastive_loss, {**PAIR, "tau": 0.5}, {**PAIR_KINDS, "tau": N}, 0),
        "contrastive.contrastive_gradient, softmax": Call(c.contrastive_gradient, {**PAIR, "tau": 0.5}, {**PAIR_KINDS, "tau": N}),
        "contrastive.doubly_stochastic_defect": Call(c.doubly_stochastic_defect, {**PAIR, "tau": 0.5}, {**PAIR_KINDS, "tau": N}, 0),
        "contrastive.gradient_along_gap": Call(c.gradient_along_gap, {**PAIR, "tau": 0.5}, {**PAIR_KINDS, "tau": N}),
        "contrastive.q_matrices": Call(c.q_matrices, {**PAIR, "tau": 0.5}, {**PAIR_KINDS, "tau": N}, 0, 1 + 1e-9),
        "contrastive.theorem_fit": Call(c.theorem_fit, {**PAIR, "tau": 0.5}, {**PAIR_KINDS, "tau": N}, nan=True),
        "contrastive.simulate": Call(
            c.simulate,
            {"start": "cones", **STARTS, "gap": 1.0, "spread": 0.1, "tau": 0.5, "kind": "softmax", "steps": 3, "step_size": 0.1,
             "learned": True, "learned_rate": 0.1, "least_tau": 0.1, "bias": -1.0, "record": [1]},
            {"start": M, "n": C, "d": C, "seed": C, "gap": N, "spread": N, "tau": N, "kind": W, "steps": C, "step_size": N,
             "learned_rate": N, "least_tau": N, "bias": N, "record": I}, nan=True),
        "contrastive.simulate, a pair": Call(
            lambda x, y: c.simulate((x, y), steps=2), PAIR, PAIR_KINDS, nan=True),
        "contrastive.starting_pairs": Call(
            c.starting_pairs, {"start": "cones", **STARTS, "gap": 1.0, "spread": 0.1},
            {"start": W, "n": C, "d": C, "seed": C, "gap": N, "spread": N}),
        "contrastive.starting_pairs, collapsed": Call(
            c.starting_pairs, {"start": "collapsed", **STARTS, "collapsed_to": 1}, {"collapsed_to": C, "start": W}),
        "contrastive.tau_from_logit_scale": Call(c.loss.tau_from_logit_scale, {"logit_scale": 100.0}, {"logit_scale": N}, 0),
        "contrastive.tau_from_temperature": Call(c.loss.tau_from_temperature, {"temperature": 0.01}, {"temperature": N}, 0),
        "robustness.boundary_scene": Call(
            r.boundary_scene, {"gap": 1.0, "half_width": 0.5, "margin": 0.1, "dimension": 3},
            {"gap": N, "half_width": N, "margin": N, "dimension": C}),
        "robustness.sweep_boundary": Call(
            r.sweep_boundary, {"gap": 1.0, "sigma": 0.1, "draws": 5, "seed": 0, "dimension": 3},
            {"gap": N, "sigma": N, "draws": C, "seed": C, "dimension": C}),
        "robustness.calibrate_sigma": Call(
            r.calibrate_sigma, {**QG, "target": 0.7, "metric": "euclidean", "tolerance": 1e-3, "memory_limit": 2**20},
            {**QG_KINDS, "target": N, "tolerance": N, "memory_limit": C}, 0),
        "robustness.certified_radius": Call(
            r.certified_radius, {**QG, "metric": "euclidean", "perturbed": "one row", "memory_limit": 2**20},
            {**QG_KINDS, "perturbed": W, "memory_limit": C}, 0, INF),
        "robustness.effective_noise": Call(
            r.effective_noise, {"queries": Y[:2], "candidates": X[:2], "sigma": 0.1, "metric": "euclidean"},
            {"queries": M, "candidates": M, "sigma": N, "metric": W}, 0),
        "robustness.effective_noise, covariance": Call(
            r.effective_noise, {"queries": Y[:2], "candidates": X[:2], "covariance": np.eye(4)}, {"covariance": M}, 0),
        "robustness.expected_shift": Call(
            r.expected_shift, {"gap": 1.0, "n_candidates": 10, "dimension": 20}, {"gap": N, "n_candidates": C, "dimension": C}, 0),
        "robustness.predict_closed": Call(
            r.predict_closed, {**FEW, "sigma": 0.1, "closer": k.GapCloser().fit(X[:3], Y), "metric": "euclidean"},
            {**QG_KINDS, "sigma": N, "closer": W}, 0, 1),
        "robustness.predict_metric": Call(
            r.predict_metric, {**QG, "gallery": UNIT, "sigma": 0.1, "metric": "dot", "known": "euclidean"},
            {**QG_KINDS, "sigma": N, "known": W}, 0, 1),
        "robustness.robustness": Call(
            r.robustness, {**QG, "sigma": 0.3, "metric": "euclidean", "noise_on": "gallery", "method": "auto", "memory_limit": 2**20},
            {**QG_KINDS, "sigma": N, "noise_on": W, "method": W, "memory_limit": C}, 0, 1),
        "robustness.robustness, sampled": Call(
            r.robustness, {**QG, "sigma": 0.3, "method": "monte-carlo", "draws": 4, "generator": 0, "memory_limit": 2**20},
            {**QG_KINDS, "draws": C, "generator": C, "memory_limit": C}, 0, 1),
        "robustness.robustness, of queries": Call(
            r.robustness, {**QG, "sigma": 0.3, "noise_on": "queries", "draws": 64, "generator": 0},
            {**QG_KINDS, "sigma": N, "draws": C, "generator": C}, 0, 1),
        "robustness.robustness, anisotropic": Call(
            r.robustness, {**QG, "sigma": np.array([0.1, 0.2, 0.3, 0.4]), "draws": 4}, {**QG_KINDS, "sigma": V, "draws": C}, 0, 1),
        "robustness.robustness, covariance": Call(
            r.robustness, {**QG, "covariance": np.eye(4), "draws": 4, "metric": "dot"}, {**QG_KINDS, "covariance": M}, 0, 1),
        "robustness.robustness, perturbation": Call(
            r.robustness, {**QG, "perturbation": p.Int8Codes(), "transform": None, "draws": 4},
            {**QG_KINDS, "perturbation": W, "transform": W}, 0, 1),
        "robustness.robustness_bounds": Call(
            r.robustness_bounds, {**QG, "sigma": 0.3, "metric": "euclidean", "memory_limit": 2**20},
            {**QG_KINDS, "sigma": N, "memory_limit": C}, 0, 1),
        "perturbations.BinaryCodes": Call(
            partial(_apply, p.BinaryCodes), {"embeddings": X, "threshold": "mean"}, {"embeddings": M, "threshold": W}),
        "perturbations.GaussianNoise": Call(
            partial(_apply, p.GaussianNoise), {"embeddings": X, "sigma": 0.1, "generator": 0}, {"embeddings": M, "sigma": N, "generator": C}),
        "perturbations.GaussianNoise, vector": Call(
            partial(_apply, p.GaussianNoise), {"embeddings": X, "sigma": np.ones(4)}, {"sigma": V}),
        "perturbations.GaussianNoise, covariance": Call(
            partial(_apply, p.GaussianNoise), {"embeddings": X, "covariance": np.eye(4)}, {"covariance": M, "embeddings": M}),
        "perturbations.Int8Codes": Call(
            partial(_apply, p.Int8Codes), {"embeddings": X, "scale": "row"}, {"embeddings": M, "scale": W}),
        "perturbations.UniformQuantization": Call(
            partial(_apply, p.UniformQuantization), {"embeddings": X, "bins": 8, "range": "fixed", "limit": 3.0},
            {"embeddings": M, "bins": C, "range": W, "limit": N}),
        "closing.ClosingOutcome": Call(
            _outcome, {"texts": X, "images": Y, "labels": LABELS, "alpha": 1.0, "components": 2, "sigma": 0.1,
                       "metric": "euclidean", "moves": "gallery"},
            {"texts": M, "images": M, "labels": I, "alpha": N, "components": C, "sigma": N, "metric": W, "moves": W}, nan=True),
        "closing.advise": Call(
            k.advise, {**QG, "metric": "euclidean", "sigma": 0.1}, {**QG_KINDS, "sigma": N}, 0),
        "closing.close_model": Call(
            _close_model, {"model": _Encoders(), "closer": k.MeanShift().fit(X, Y), "gallery": "text"},
            {"model": W, "closer": W, "gallery": W}),
        "closing.load_closer": Call(k.load_closer, {"path": "/nowhere"}, {"path": W}),
        "closing.select_closer": Call(
            _select, {"X": X, "Y": Y, "grid": {"alpha": [0.0, 0.5]}, "agreement": 0.1, "metric": "euclidean"},
            {"X": M, "Y": M, "grid": W, "agreement": N, "metric": W}),
        "tasks.accuracy": Call(t.accuracy, {"answers": LABELS, "labels": LABELS}, {"answers": I, "labels": I}, 0, 1),
        "tasks.agreement": Call(t.agreement, {"first": LABELS, "second": LABELS}, {"first": I, "second": I}, 0, 1),
        "tasks.answer_multiple_choice": Call(
            t.answer_multiple_choice, {"queries": STACK_Y[0], "options": STACK_X[:, :, :].transpose(1, 0, 2), "metric": "euclidean"},
            {"queries": M, "options": M, "metric": W}, 0, 9),
        "tasks.multiple_choice": Call(
            t.multiple_choice, {"queries": Y[:3], "options": STACK_X, "answers": np.array([0, 1, 2]), "metric": "euclidean"},
            {"queries": M, "options": M, "answers": I, "metric": W}, 0, 1),
        "tasks.block_interval": Call(t.block_interval, {"values": X, "confidence": 0.9}, {"values": M, "confidence": N}),
        "tasks.calibrate_in_galleries": Call(
            t.calibrate_in_galleries, {"queries": STACK_Y, "galleries": STACK_X, "target": 0.7, "metric": "euclidean"},
            {"queries": M, "galleries": M, "target": N, "metric": W}, 0),
        "tasks.cut_galleries": Call(
            t.cut_galleries, {"count": 20, "size": 4, "partitions": 2, "seed": 0}, {"count": C, "size": C, "partitions": C, "seed": C}, 0, INF),
        "tasks.k_occurrence": Call(t.k_occurrence, {**QG, "k": 2, "metric": "euclidean"}, {**QG_KINDS, "k": C}, 0, 72),
        "tasks.nearest_in_galleries": Call(
            t.nearest_in_galleries, {"queries": STACK_Y, "galleries": STACK_X, "metric": "cosine"},
            {"queries": M, "galleries": M, "metric": W}, 0, 9),
        "tasks.prompt_ensemble": Call(t.prompt_ensemble, {"prompts": X, "classes": LABELS % 3}, {"prompts": M, "classes": I}),
        "tasks.retrieval": Call(
            t.retrieval, {"texts": X, "images": Y, "k": [1, 2], "image_of_text": LABELS, "metric": "dot"},
            {"texts": M, "images": M, "k": I, "image_of_text": I, "metric": W}, 0, 1),
        "tasks.retrieval, one k": Call(lambda k: t.retrieval(X, Y, k=[k]), {"k": 1}, {"k": C}, 0, 1),
        "tasks.retrieval_ranks": Call(
            lambda query_ids, gallery_ids, **o: retrieval_ranks(targets=(query_ids, gallery_ids), **o),
            {**QG, "query_ids": LABELS, "gallery_ids": LABELS, "metric": "dot"}, {**QG_KINDS, "query_ids": I, "gallery_ids": I}, 0, 6),
        "tasks.retrieval_ranks, targets": Call(t.retrieval_ranks, {**QG, "targets": (LABELS, LABELS)}, {"targets": I}, 0, 6),
        "tasks.robustness_in_galleries": Call(
            t.robustness_in_galleries, {"queries": STACK_Y, "galleries": STACK_X, "sigma": 0.3, "metric": "euclidean"},
            {"queries": M, "galleries": M, "sigma": N, "metric": W}, 0, 1),
        "tasks.robustness_in_galleries, cosine": Call(
            t.robustness_in_galleries, {"queries": STACK_Y[:1, :2], "galleries": STACK_X[:1, :3], "sigma": 0.3, "metric": "cosine"},
            {"queries": M, "galleries": M, "sigma": N}, 0, 1),
        "tasks.unrepeated_rows": Call(t.unrepeated_rows, {"gallery": X, "tolerance": 1e-6}, {"gallery": M, "tolerance": N}, 0, 12),
        "tasks.zero_shot": Call(
            t.zero_shot, {"images": Y, "class_texts": X, "labels": LABELS, "metric": "euclidean"},
            {"images": M, "class_texts": M, "labels": I, "metric": W}, 0, 1),
    }  # fmt: skip
    for name in ("dot", "cosine"):
        table[f"robustness.robustness, {name}"] = Call(
            r.robustness, {**FEW, "sigma": 0.3, "metric": name}, {**QG_KINDS, "sigma": N}, 0, 1
        )
        table[f"robustness.certified_radius, {name}"] = Call(
            r.certified_radius, {**QG, "metric": name}, QG_KINDS, 0
        )
        table[f"robustness.calibrate_sigma, {name}"] = Call(
            r.calibrate_sigma, {**FEW, "target": 0.7, "metric": name, "tolerance": 1e-2}, {"target": N}, 0
        )
    for kind in k.CLOSERS.values():
        options = dict(kind().get_params())
        table[f"closing.{kind.__name__}"] = Call(
            partial(_fit_and_move, kind), {"X": X, "Y": Y, "Z": X}, {"X": M, "Y": M, "Z": M}
        )
        kinds = {"alpha": N, "n_components": C, "moves": W}
        if options:
            table[f"closing.{kind.__name__}, options"] = Call(
                partial(_make, kind), {**options}, {key: kinds[key] for key in options}
            )
    return table


NOTHING_TO_CALL = {
    "geometry.METRICS", "geometry.Band", "geometry.Interval", "perturbations.Perturbation", "closing.CLOSERS",
    "closing.Closer", "closing.GapCloser", "closing.Advice", "closing.Lever", "tasks.nearest",
}  # fmt: skip
"""Names that hold something, take part in something else, or stand in the table under their own package."""


def public_names() -> list[str]:
    """Every name in the ``__all__`` of the faces of floor 1."""
    faces = (geometry, contrastive, perturbations, robustness, closing, tasks)
    return [f"{face.__name__.removeprefix('gapkit.')}.{name}" for face in faces for name in face.__all__]


def numbers_in(result: Any) -> Iterator[np.ndarray]:
    """Every array of numbers in a result."""
    if isinstance(result, torch.Tensor):
        result = result.detach()
        result = (result.double() if result.is_floating_point() else result).numpy()
    if isinstance(result, dict):
        result = list(result.values())
    elif is_dataclass(result):
        result = [getattr(result, each.name) for each in fields(result)]
    if isinstance(result, tuple | list):
        for part in result:
            yield from numbers_in(part)
    elif not isinstance(result, str | None.__class__):
        array = np.asarray(result)
        if array.dtype.kind in "fiu":
            yield array


def fault_of(call: Call, name: str, value: Any) -> str:
    """What is wrong with the answer to ``value`` in the place of argument ``name``; empty if nothing is."""
    try:
        result = call.function(**{**call.arguments, name: value})
    except gapkit.InputError as error:
        message = str(error)
        if not message.isprintable() or not message or len(message) > 1000:
            return f"message {message[:300]!r}"
        return ""
    except Exception as error:
        if (
            type(error).__name__ == "TypeCheckError"
        ):  # of jaxtyping's hook, which tests have and users have not
            return ""
        frame = traceback.extract_tb(error.__traceback__)
        place = next((f for f in reversed(frame) if "gapkit" in f.filename), frame[-1])
        return f"{type(error).__name__} at {place.filename.rpartition('gapkit/')[2]}:{place.lineno}: {str(error)[:150]!r}"
    for array in numbers_in(result):
        if array.size and np.isnan(array).any() and not call.nan:
            return "NaN"
        known = array[~np.isnan(array)]
        slack = 1e-9
        if known.size and not (known.min() >= call.low - slack and known.max() <= call.high + slack):
            return f"out of range: {known.min():g} … {known.max():g}"
        if np.isinf(known).any() and call.high != INF and not call.nan:
            return "infinite"
    return ""


def faults(wanted: str = "", *, before: Callable | None = None) -> Iterator[str]:
    """Every fault of the names that begin with ``wanted``, one a line."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # names that have left the faces are tried all the same
        table = calls()
    for name, call in table.items():
        if not name.startswith(wanted):
            continue
        for argument, kind in call.kinds.items():
            good = call.arguments.get(argument)
            good = np.asarray(good) if kind in (matrices, indices) and not isinstance(good, str) else good
            if kind is matrices and (isinstance(good, str) or good.ndim == 0):
                good = np.stack([X, Y])
            for what, value in kind(good):
                if before:
                    before(f"{name}({argument}: {what})")
                with warnings.catch_warnings(record=True) as said:
                    warnings.simplefilter("always")
                    fault = fault_of(call, argument, value)
                foreign = [w for w in said if not issubclass(w.category, gapkit.GapkitWarning)]
                if not fault and foreign:
                    fault = f"warns: {foreign[0].category.__name__} {str(foreign[0].message)[:100]}"
                if fault:
                    yield f"{name}({argument}: {what}): {fault}"


def main() -> None:
    import resource  # Unix alone has it

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    torch.set_num_threads(1)
    found = 0
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    show = (lambda text: print(text, file=sys.stderr, flush=True)) if len(sys.argv) > 2 else None
    with contextlib.suppress(BrokenPipeError):
        for line in faults(wanted, before=show):
            found += 1
            print(line, flush=True)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
