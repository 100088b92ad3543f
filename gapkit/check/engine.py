"""The engine of the self-checks: a learner's function against a reference, on fresh random inputs."""

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass

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

    def __call__(self, function, *, seed: int | None = None) -> Passed:
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

        if all(isinstance(one, np.ndarray) and one.shape == () for one in (*got, *right)):
            # Single numbers: laid side by side, the rounds show a sign or a factor.
            found = difference(np.stack(got), np.stack(right), rtol=self.rtol)
            found = "has a wrong value" if found and ("entries" in found or "shape" in found) else found
        else:
            compared = zip(got, right, sizes, strict=True)
            said = (
                difference(a, b, rtol=self.rtol, sizes=shape, parts=self.parts) for a, b, shape in compared
            )
            found = next(filter(None, said), None)
        if found is None:
            return
        if len(got) > 1 and "NaN" not in found and all(_equal(got[0], one) for one in got[1:]):
            found = "gives the same result whatever its input: does it use its arguments, or something fixed?"
        else:
            found = self._mistake(got, rounds) or found
        raise CheckFailed(f"{self.name} {found}")

    def _right(self, arguments: tuple) -> Result:
        result = plain(self.reference(*copy.deepcopy(arguments)))
        if isinstance(result, str):
            raise TypeError(f"the reference of {self.name} {result}")
        return result

    def _mistake(self, got: list[Result], rounds: list[tuple]) -> str | None:
        for sentence, mistaken in self.mistakes:
            made = [plain(mistaken(*copy.deepcopy(arguments))) for arguments in rounds]
            if all(
                not isinstance(there, str) and difference(here, there, rtol=max(self.rtol, 1e-6)) is None
                for here, there in zip(got, made, strict=True)
            ):
                return sentence
        return None


def must_be_function(function, name: str) -> None:
    """Raise unless ``function`` can be called."""
    if not callable(function):
        raise CheckFailed(f"give the function itself: check.{name}({name}), without calling it")


def fresh_rng(seed: int | None = None) -> np.random.Generator:
    """A generator from ``seed``, from ``$GAPKIT_CHECK_SEED`` (which repeats them), or from fresh entropy."""
    if seed is None and os.environ.get(SEED_VARIABLE):
        seed = int(os.environ[SEED_VARIABLE])
    return np.random.default_rng(seed)


def call(function: Callable, arguments: tuple, name: str, **options) -> Result:
    """What ``function`` returns, as float64; raises `CheckFailed` if it fails or changes its input."""
    given = copy.deepcopy(arguments)
    try:
        result = function(*given, **copy.deepcopy(options))
    except NotImplementedError as fault:
        raise CheckFailed(f"{name} is not written yet") from fault
    except Exception as fault:  # whatever a learner's code may raise
        said = " ".join(str(fault).split())[:300]
        raise CheckFailed(f"{name} stops with {type(fault).__name__}: {said}") from fault
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


def call_each(function: Callable, rounds: list[tuple], name: str) -> list[Result]:
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


def _equal(one: Result, other: Result) -> bool:
    if isinstance(one, tuple) or isinstance(other, tuple):
        return isinstance(one, tuple) and isinstance(other, tuple) and all(map(_equal, one, other))
    return np.array_equal(one, other, equal_nan=True)
