"""The engine of the self-checks: a learner's function against a reference, on fresh random inputs, and those inputs."""

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gapkit.check.diagnosis import Result, difference, plain, single_precision

SEED_VARIABLE = "GAPKIT_CHECK_SEED"


class CheckFailed(AssertionError):
    """A learner's function is not right yet; the message says in what way."""


@dataclass(frozen=True)
class Passed:
    """What a check returns when all is well; a notebook shows it as one line."""

    message: str

    def __repr__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Check:
    """One exercise: a name, a reference, and where its inputs come from. Call it with a function.

    Parameters
    ----------
    name : how messages call the function
    reference : the right function
    draw : takes a `numpy.random.Generator`, returns the arguments of one call (float64 numpy arrays and
        plain numbers; they depend on nothing else)
    mistakes : pairs of a sentence and a function that makes the mistake it names
    rounds : how many fresh inputs
    rtol : largest error, relative to the largest entry of the right result
    parts : names of the results where there are several
    also : functions whose results are right as well, such as a library's that adds a small number against divisions by 0

    Examples
    --------
    >>> double = Check("double", lambda x: 2 * x, lambda rng: (rng.normal(size=3),))
    >>> double(lambda x: x + x)
    double: right (compared on 5 fresh inputs in float64)
    >>> double(lambda x: -2 * x)
    Traceback (most recent call last):
    ...
    gapkit.check.engine.CheckFailed: double has the wrong sign
    """

    name: str
    reference: Callable
    draw: Callable[[np.random.Generator], tuple]
    mistakes: tuple[tuple[str, Callable], ...] = ()
    rounds: int = 5
    rtol: float = 1e-9
    parts: tuple[str, ...] = ()
    also: tuple[Callable, ...] = ()

    def __call__(self, function: object, *, seed: int | None = None) -> Passed:
        """Raise `CheckFailed`, or say that ``function`` is right.

        Parameters
        ----------
        function : the learner's function; gets numpy arrays, and torch tensors if it fails on those
        seed : repeats the inputs of an earlier call; fresh ones when left out
        """
        must_be_function(function, self.name)
        rng = fresh_rng(seed)
        rounds = [self.draw(rng) for _ in range(self.rounds)]
        self._judge(call_each(function, rounds, self.name), rounds)
        return Passed(f"{self.name}: right (compared on {self.rounds} fresh inputs in float64)")

    def _judge(self, got: list[Result], rounds: list[tuple]) -> None:
        right = [self._right(arguments) for arguments in rounds]
        sizes = [np.shape(arguments[0]) for arguments in rounds]

        if all(isinstance(result, np.ndarray) and result.shape == () for result in (*got, *right)):
            # Single numbers: laid side by side, the rounds show a sign or a factor.
            fault = difference(np.stack(got), np.stack(right), rtol=self.rtol)
            fault = "has a wrong value" if fault and ("entries" in fault or "shape" in fault) else fault
        else:
            compared = zip(got, right, sizes, strict=True)
            faults = (
                difference(a, b, rtol=self.rtol, sizes=shape, parts=self.parts) for a, b, shape in compared
            )
            fault = next(filter(None, faults), None)
        if fault is None or any(self._agrees(got, rounds, other, self.rtol) for other in self.also):
            return
        if len(got) > 1 and "NaN" not in fault and all(_equal(got[0], again) for again in got[1:]):
            fault = "gives the same result whatever its input: does it use its arguments, or something fixed?"
        else:
            fault = self._mistake(got, rounds) or fault
        raise CheckFailed(f"{self.name} {fault}")

    def _right(self, arguments: tuple) -> Result:
        result = plain(self.reference(*copy.deepcopy(arguments)))
        if isinstance(result, str):
            raise TypeError(f"the reference of {self.name} {result}")
        return result

    def _mistake(self, got: list[Result], rounds: list[tuple]) -> str | None:
        tolerance = max(self.rtol, 1e-6)
        named = (sentence for sentence, other in self.mistakes if self._agrees(got, rounds, other, tolerance))
        return next(named, None)

    @staticmethod
    def _agrees(got: list[Result], rounds: list[tuple], function: Callable, rtol: float) -> bool:
        """Whether the results are those of ``function``."""
        made = [plain(function(*copy.deepcopy(arguments))) for arguments in rounds]
        return all(
            not isinstance(other, str) and difference(result, other, rtol=rtol) is None
            for result, other in zip(got, made, strict=True)
        )


def must_be_function(function, name: str) -> None:
    """Raise unless ``function`` can be called."""
    if not callable(function):
        raise CheckFailed(f"give the function itself: check.{name}({name}), without calling it")


def fresh_rng(seed: int | None = None) -> np.random.Generator:
    """A generator from ``seed``, from ``$GAPKIT_CHECK_SEED`` (which repeats them), or from fresh entropy."""
    if seed is None and os.environ.get(SEED_VARIABLE):
        seed = int(os.environ[SEED_VARIABLE])
    return np.random.default_rng(seed)


def call(function: Any, arguments: tuple, name: str, **options) -> Result:
    """What ``function`` returns, as float64; raises `CheckFailed` if it fails or changes its input."""
    given = copy.deepcopy(arguments)
    try:
        result = function(*given, **copy.deepcopy(options))
    except NotImplementedError as fault:
        raise CheckFailed(f"{name} is not written yet") from fault
    except Exception as fault:  # whatever a learner's code may raise
        message = " ".join(str(fault).split())[:300]
        raise CheckFailed(f"{name} stops with {type(fault).__name__}: {message}") from fault
    for position, (before, after) in enumerate(zip(arguments, given, strict=True)):
        if isinstance(before, np.ndarray | torch.Tensor) and not np.array_equal(
            np.asarray(before), np.asarray(after), equal_nan=True
        ):
            raise CheckFailed(f"{name} changes its input (argument {position + 1}): work on a copy")
    single = single_precision(result) and any(map(_double, arguments))
    result = plain(result)
    if isinstance(result, np.ndarray | tuple) and single:
        # Whether single precision is near enough would depend on the draw of the inputs.
        raise CheckFailed(f"{name} returns single precision (float32 or less): compute in float64")
    if isinstance(result, str):
        raise CheckFailed(f"{name} {result}" if result.startswith("returns") else f"{name}: {result}")
    return result


def call_each(function: Any, rounds: list[tuple], name: str) -> list[Result]:
    """What ``function`` returns in each round: given numpy arrays or, if it fails on those, tensors.

    The complaint about numpy arrays counts only after tensors were tried; a fault that only shows with
    tensors (an input that is changed, a result that is no array) is the one that is told.
    """
    try:
        return [call(function, arguments, name) for arguments in rounds]
    except CheckFailed as fault:
        if not isinstance(fault.__cause__, Exception) or isinstance(fault.__cause__, NotImplementedError):
            raise
        try:
            return [call(function, as_torch(arguments), name) for arguments in rounds]
        except CheckFailed as other:
            raise (fault if other.__cause__ else other) from fault.__cause__


def as_torch(arguments: tuple) -> tuple:
    """The same arguments with arrays as float64 (or int64) tensors."""
    return tuple(torch.from_numpy(a.copy()) if isinstance(a, np.ndarray) else a for a in arguments)


def _double(value) -> bool:
    return isinstance(value, np.ndarray | torch.Tensor) and str(value.dtype).endswith("float64")


def _equal(a: Result, b: Result) -> bool:
    if isinstance(a, tuple) or isinstance(b, tuple):
        return isinstance(a, tuple) and isinstance(b, tuple) and all(map(_equal, a, b))
    return np.array_equal(a, b, equal_nan=True)


# Fresh inputs. Sizes differ from each other, so that a wrong axis shows.


def cloud(rng: np.random.Generator, n: int, d: int, *, centre: float = 1.0) -> np.ndarray:
    """(n, d) points around a centre that is not zero, wider along some axes than along others."""
    return centre * rng.normal(size=d) + rng.normal(size=(n, d)) * rng.uniform(0.3, 1.5, size=d)


def two_clouds(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A gallery and queries, in different numbers."""
    d = int(rng.integers(3, 6))
    return cloud(rng, int(rng.integers(6, 9)), d), cloud(rng, int(rng.integers(9, 13)), d)


def matched_clouds(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Texts and images, row by row partners; the rows have many lengths."""
    n, d = int(rng.integers(7, 11)), int(rng.integers(3, 6))
    x = cloud(rng, n, d)
    return x, x + rng.normal(size=d) + 0.3 * rng.normal(size=(n, d))


def cloud_and_direction(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One modality, and a direction that is no unit vector."""
    d = int(rng.integers(4, 7))
    return cloud(rng, int(rng.integers(8, 12)), d), 3 * rng.normal(size=d)


def pairs_and_tau(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Texts, images and τ, such that no probability is close to 0 or 1."""
    x, y = matched_clouds(rng)
    return x, y, float(rng.uniform(2.0, 6.0))


def gallery_and_queries(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Queries near a gallery of unit rows, a gap away: the setting of robustness."""
    d = int(rng.integers(8, 12))
    gallery = rng.normal(size=(6, d))
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    queries = (
        gallery[rng.integers(6, size=8)] + 0.25 * rng.normal(size=(8, d)) + 0.5 * rng.normal(size=d) / d**0.5
    )
    return queries, gallery
