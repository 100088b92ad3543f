"""Every public numeric function on tensors that are, as far as torch can be made to pretend, on Apple's GPU.

See `tests.mps`: float64 is refused there, so everything must be brought to the CPU first, and back at the end.
"""

import dataclasses
import importlib

import numpy as np
import pytest
import torch

import gapkit
from gapkit import closing, contrastive, geometry, perturbations, robustness, tasks
from gapkit.encoders.model import _unit
from gapkit.tasks import galleries
from gapkit.tasks.retrieval import retrieval_ranks
from tests.mps import Mps, OnMps, on_mps

FLOOR = ("geometry", "contrastive", "perturbations", "robustness", "closing", "tasks")


def rows(seed, n, d, at):
    values = np.random.default_rng(seed).normal(size=(n, d)) + at
    return torch.from_numpy(values / np.linalg.norm(values, axis=1, keepdims=True)).float()


X, Y = rows(0, 12, 6, 0.5), rows(1, 12, 6, -0.2)
LABELS = torch.arange(12) % 4
FEW = X[:4]
OPTIONS = X[:12].reshape(4, 3, 6)

CLOSERS = {closer.__name__: closer for closer in closing.CLOSERS.values()} | {"GapCloser": closing.GapCloser}
Y3, X3 = Y.reshape(3, 4, 6), X.reshape(3, 4, 6)

CALLS = {
    "geometry.bootstrap.bootstrap_interval": lambda t: geometry.bootstrap.bootstrap_interval(
        t(X[:, 0]), resamples=20
    ),
    "geometry.cone_statistics": lambda t: geometry.cone_statistics(t(X)),
    "geometry.shape.effective_rank": lambda t: geometry.shape.effective_rank(t(X)),
    "geometry.resampled.gap_interval": lambda t: geometry.resampled.gap_interval(t(X), t(Y), resamples=20),
    "geometry.variance_intervals": lambda t: geometry.variance_intervals(t(X), t(Y), resamples=20),
    "geometry.share_intervals": lambda t: geometry.share_intervals(t(X), t(Y), [1, 3], resamples=20),
    "geometry.gap_vector": lambda t: geometry.gap_vector(t(X), t(Y)),
    "geometry.l2i": lambda t: geometry.l2i(t(X), t(Y)),
    "geometry.l2m": lambda t: geometry.l2m(t(X), t(Y)),
    "geometry.linear_separability": lambda t: geometry.linear_separability(t(X), t(Y), return_correct=True),
    "geometry.matched_cosine": lambda t: geometry.matched_cosine(t(X), t(Y)),
    "geometry.measure": lambda t: geometry.measure(t(X), t(Y), intervals=True, resamples=20),
    "geometry.measure_stream": lambda t: geometry.streaming.measure_stream(t(X), t(Y), covariance=True),
    "geometry.nearest": lambda t: geometry.nearest(t(Y), t(X)),
    "geometry.gram.points_from_gram": lambda t: geometry.gram.points_from_gram(
        t((X @ X.T).float()), dimension=6
    ),
    "geometry.relative_variance": lambda t: geometry.relative_variance(t(X), t(Y[0])),
    "geometry.relative_variance_band": lambda t: geometry.relative_variance_band(t(X), directions=20),
    "geometry.gap_axes": lambda t: geometry.gap_axes(t(X), t(Y)),
    "geometry.relative_spectrum": lambda t: geometry.relative_spectrum(t(X)),
    "geometry.rmg": lambda t: geometry.rmg(t(X), t(Y)),
    "geometry.subspace_share": lambda t: geometry.subspace_share(t(X), t(Y[0]), [1, 3]),
    "contrastive.contrastive_gradient": lambda t: contrastive.contrastive_gradient(t(X), t(Y), 0.1),
    "contrastive.contrastive_loss": lambda t: contrastive.contrastive_loss(t(X), t(Y), 0.1),
    "contrastive.doubly_stochastic_defect": lambda t: contrastive.doubly_stochastic_defect(t(X), t(Y), 0.1),
    "contrastive.gradient_along_gap": lambda t: contrastive.gradient_along_gap(t(X), t(Y), 0.1),
    "contrastive.q_matrices": lambda t: contrastive.q_matrices(t(X), t(Y), 0.1),
    "contrastive.theorem_fit": lambda t: contrastive.theorem_fit(t(X), t(Y), 0.1),
    "perturbations.BinaryCodes": lambda t: perturbations.BinaryCodes().apply(t(X)),
    "perturbations.GaussianNoise": lambda t: perturbations.GaussianNoise(0.1).apply(t(X), generator=1),
    "perturbations.GaussianNoise, a covariance": lambda t: perturbations.GaussianNoise(
        covariance=t(torch.eye(6))
    ).apply(t(X), generator=1),
    "perturbations.Int8Codes": lambda t: perturbations.Int8Codes().apply(t(X)),
    "perturbations.UniformQuantization": lambda t: perturbations.UniformQuantization(32, "fitted").apply(
        t(X)
    ),
    "robustness.calibrate_sigma": lambda t: robustness.calibrate_sigma(t(Y), t(FEW), 0.8),
    "robustness.certified_radius": lambda t: robustness.certified_radius(t(Y), t(FEW)),
    "robustness.law.effective_noise": lambda t: robustness.law.effective_noise(t(Y), t(X), 0.1),
    "robustness.law.predict_metric": lambda t: robustness.law.predict_metric(t(Y), t(FEW), 0.1, metric="dot"),
    "closing.advise": lambda t: closing.advise(t(Y), t(FEW), sigma=0.1).sigma,
    "robustness.expected_shift": lambda t: robustness.expected_shift(t(Y[0]), 4),
    "robustness.predict_closed": lambda t: robustness.predict_closed(
        t(Y), t(FEW), 0.1, closer=closing.GapCloser().fit(FEW, Y)
    ),
    **{
        f"robustness.robustness, {metric}, noise on {side}, {method}": lambda t, m=metric, s=side, h=method: (
            robustness.robustness(
                t(Y), t(FEW), 0.1, metric=m, noise_on=s, method=h, draws=20, return_info=True
            )
        )
        for metric in ("euclidean", "dot", "cosine")
        for side in ("gallery", "queries")
        for method in ("auto", "monte-carlo")
    },
    "robustness.robustness, a covariance": lambda t: robustness.robustness(
        t(Y), t(FEW), covariance=t(0.01 * torch.eye(6))
    ),
    "robustness.robustness_bounds": lambda t: robustness.robustness_bounds(t(Y), t(FEW), 0.1),
    **{
        f"closing.{name}": lambda t, closer=closer: (
            closer().fit(t(FEW), t(Y[:4])).transform_pair(t(FEW), t(Y))
        )
        for name, closer in CLOSERS.items()
    },
    "closing.select_closer": lambda t: (
        closing.select_closer(
            closing.GapCloser(), t(FEW), t(Y), {"alpha": [0.5, 1.0]}, robustness=lambda a, b: 0.5
        ).table
    ),
    "tasks.accuracy": lambda t: tasks.accuracy(t(LABELS), LABELS),
    "tasks.agreement": lambda t: tasks.agreement(LABELS, t(LABELS)),
    "tasks.classification.answer_multiple_choice": lambda t: tasks.classification.answer_multiple_choice(
        t(Y[:4]), t(OPTIONS)
    ),
    "tasks.k_occurrence": lambda t: tasks.k_occurrence(t(Y), t(FEW)),
    "tasks.multiple_choice": lambda t: tasks.multiple_choice(
        t(Y[:4]), t(OPTIONS), t(torch.tensor([0, 1, 2, 0]))
    ),
    "tasks.nearest": lambda t: tasks.nearest(t(Y), t(X), metric="cosine"),
    "tasks.prompt_ensemble": lambda t: tasks.prompt_ensemble(t(X), t(LABELS.sort().values)),
    "tasks.retrieval": lambda t: tasks.retrieval(t(X), t(Y)),
    "tasks.retrieval.retrieval_ranks": lambda t: retrieval_ranks(t(Y), t(X)),
    "tasks.zero_shot": lambda t: tasks.zero_shot(t(Y), t(FEW), t(LABELS)),
    "tasks.galleries.block_interval": lambda t: galleries.block_interval(t(X)),
    "tasks.galleries.calibrate_in_galleries": lambda t: galleries.calibrate_in_galleries(t(Y3), t(X3), 0.7),
    "tasks.galleries.nearest_in_galleries": lambda t: galleries.nearest_in_galleries(t(Y3), t(X3)),
    "tasks.galleries.robustness_in_galleries": lambda t: galleries.robustness_in_galleries(t(Y3), t(X3), 0.1),
    "tasks.galleries.unrepeated_rows": lambda t: galleries.unrepeated_rows(t(X)),
    "gapkit.normalise_rows": lambda t: gapkit.normalise_rows(t(X)),
}

WITHOUT_TENSORS = {
    # records and bases
    "geometry.Band", "geometry.Interval",
    "closing.Closer",
    "geometry.Resamples",
    # numbers, names, seeds and files in
    "geometry.subspace_share_chance", "geometry.place_in_band", "contrastive.tau_from_logit_scale",
    "contrastive.tau_from_temperature", "contrastive.simulate",
    "contrastive.starting_pairs",
    "closing.ClosingOutcome", "closing.load_closer", "robustness.boundary_scene", "robustness.sweep_boundary", 
    # below, with gradients
    "closing.close_model",
}  # fmt: skip


def plain(result):
    """A result as nested plain values, and how many tensors in it are on the imitated device, or not."""
    places = []

    def walk(value):
        if isinstance(value, torch.Tensor):
            places.append(isinstance(value, OnMps))
            return value.as_subclass(torch.Tensor).double().numpy()
        if dataclasses.is_dataclass(value):
            return {field.name: walk(getattr(value, field.name)) for field in dataclasses.fields(value)}
        if isinstance(value, dict):
            return {key: walk(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [walk(part) for part in value]
        return value

    return walk(result), places


def close(first, second) -> bool:
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(close(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(close, first, second))
    if isinstance(first, str | None):
        return first == second
    return np.allclose(first, second, rtol=1e-4, atol=1e-5)


def test_the_stand_in_refuses_what_the_real_one_does():
    tensor = on_mps(X)
    refused = [
        lambda: tensor.double(), lambda: tensor.to(torch.float64), lambda: tensor.numpy(), lambda: tensor + Y,
        lambda: torch.zeros(2, dtype=torch.float64, device=tensor.device), lambda: Y.double().to(tensor.device),
        lambda: torch.zeros_like(tensor, dtype=torch.float64), lambda: tensor.to("cpu", torch.float64),
    ]  # fmt: skip
    with Mps():
        assert tensor.device.type == "mps"
        assert isinstance(tensor @ tensor.T, OnMps)
        assert isinstance(Y.to(tensor.device), OnMps)
        assert not isinstance(tensor.cpu(), OnMps)
        for call in refused:
            with pytest.raises((TypeError, RuntimeError)):
                call()


@pytest.mark.parametrize("name", CALLS)
def test_float32_only_tensors_give_the_same_result_and_get_it_back(name):
    expected, places = plain(CALLS[name](lambda tensor: tensor))
    assert not any(places)
    with Mps():
        result = CALLS[name](on_mps)
    result, places = plain(result)
    assert all(places), "a tensor that came out is not where the tensors that came in are"
    assert close(expected, result)


@pytest.mark.parametrize("package", FLOOR)
def test_no_public_name_is_forgotten(package):
    module = importlib.import_module(f"gapkit.{package}")
    called = {f"{package}.{name}" for name in module.__all__ if callable(getattr(module, name))}
    tried = {name.partition(",")[0] for name in CALLS} | WITHOUT_TENSORS
    assert sorted(called - tried) == [], "give each a line in CALLS, or in WITHOUT_TENSORS"


@pytest.mark.parametrize("name", CLOSERS)
def test_a_closer_inside_a_model_works_there_and_gradients_flow(name):
    class Model(torch.nn.Module):
        def encode_image(self, z):
            return z

        encode_text = encode_image

    closer = CLOSERS[name]().fit(FEW, Y[:4])
    leaf = FEW.clone().requires_grad_()
    with Mps():
        closed = closing.close_model(Model(), closer).encode_text(leaf.as_subclass(OnMps), normalize=True)
        closed[:, 0].sum().backward()
        assert isinstance(closed, OnMps)
    assert leaf.grad.abs().sum() > 0
    expected = closing.close_model(Model(), closer).encode_text(FEW, normalize=True)
    assert torch.allclose(closed.detach().as_subclass(torch.Tensor), expected, atol=1e-6)


def test_embeddings_of_a_model_there_are_normalised_on_the_cpu():
    with Mps():
        unit = _unit(on_mps(3 * X))
        assert not isinstance(unit, OnMps)
    assert torch.equal(unit, _unit(3 * X))
