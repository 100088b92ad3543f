"""The engine of the self-checks: a learner's function against a reference, on fresh random inputs, and those inputs."""

import ast
import copy
import functools
import importlib
import inspect
import linecache
import re
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gapkit.check.diagnosis import Result, difference, plain, single_precision
from gapkit.check.inputs import fresh_rng, unit
from gapkit.errors import did_you_mean


class CheckFailed(AssertionError):
    """A learner's function is not right yet; the message says in what way, and a notebook shows nothing else."""

    def _render_traceback_(self) -> list[str]:  # IPython asks for it
        return [f"✗ {line}" for line in str(self).splitlines()]


class Passed(str):
    """What a check returns when all is well: one line, without quotation marks."""

    __repr__ = str.__str__


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
            compare = functools.partial(difference, rtol=self.rtol, parts=self.parts)
            faults = (compare(a, b, sizes=shape) for a, b, shape in compared)
            fault = next(filter(None, faults), None)
        if fault is None or any(self._agrees(got, rounds, other, self.rtol) for other in self.also):
            return
        if len(got) > 1 and "NaN" not in fault and all(_equal(got[0], again) for again in got[1:]):
            fault = "gives the same result whatever its input: does it use its arguments, or something fixed?"
        else:
            vague = re.search("wrong value|entries wrong|constant|another order", fault)
            usual = self._named(got, rounds, usual_mistakes(self.reference)) if vague else None
            fault = self._named(got, rounds, self.mistakes) or usual or fault
        raise CheckFailed(f"{self.name} {fault}")

    def _right(self, arguments: tuple) -> Result:
        result = plain(self.reference(*copy.deepcopy(arguments)))
        if isinstance(result, str):
            raise TypeError(f"the reference of {self.name} {result}")
        return result

    def _named(self, got, rounds, mistakes) -> str | None:
        """The sentence of the first of ``mistakes`` that gives these results."""
        tolerance = max(self.rtol, 1e-6)
        return next((words for words, other in mistakes if self._agrees(got, rounds, other, tolerance)), None)

    @staticmethod
    def _agrees(got: list[Result], rounds: list[tuple], function: Callable, rtol: float) -> bool:
        """Whether the results are those of ``function``, whose warnings are none of the learner's."""
        try:
            with warnings.catch_warnings(action="ignore"):
                made = [plain(function(*copy.deepcopy(arguments))) for arguments in rounds]
        except Exception:  # a mistake that cannot be made with these inputs
            return False
        return all(
            not isinstance(other, str) and difference(result, other, rtol=rtol) is None
            for result, other in zip(got, made, strict=True)
        )


def usual_mistakes(reference: Callable) -> Iterator[tuple[str, Callable]]:
    """What goes wrong in any exercise: the reference with other inputs, or with its result times their number."""

    def rows(change):  # the same change to every (n, d) array
        return lambda *given: reference(*(change(a) if np.ndim(a) == 2 else a for a in given))

    def last(change, kind):  # a change to the last input, where that is a number
        def changed(*given):
            if not isinstance(given[-1], kind):
                raise TypeError
            return reference(*given[:-1], change(given[-1]))

        return changed

    *_, name = [p.name for p in inspect.signature(reference).parameters.values() if p.default is p.empty]
    yield "sums where a mean is asked for", lambda *given: reference(*given) * len(given[0])
    yield "divides by the number of rows once too often", lambda *given: reference(*given) / len(given[0])
    yield "runs over axis 0 where axis 1 is meant: a row is a point", rows(np.transpose)
    yield "normalises the rows first: take them as they are", rows(unit)
    yield "takes the mean off first: the rows are needed where they are", rows(lambda z: z - z.mean(0))
    yield f"leaves out {name}, or takes it as 1", last(lambda _: 1.0, float)
    yield f"takes 1 − {name} for {name}", last(lambda a: 1 - a, float)
    yield f"takes {name}² for {name}", last(np.square, float)
    yield f"takes √{name} for {name}", last(np.sqrt, float)
    yield f"goes one step too far: {name} + 1 for {name}", last(lambda k: k + 1, int)
    yield f"stops one step too early: {name} − 1 for {name}", last(lambda k: k - 1, int)
    yield "exchanges its first two inputs", lambda x, y, *more: reference(y, x, *more)


def exercises() -> Iterator[tuple[str, Callable]]:
    """Name and check of everything that can be checked; the second half, which loads scikit-learn, only when asked for."""
    for half in ("gap", "robustness"):
        for name, thing in vars(importlib.import_module(f"gapkit.check.{half}")).items():
            if isinstance(thing, Check) or name == "monte_carlo":
                yield name, thing


def exercise(name: object) -> Callable | None:
    """The check of this name."""
    return next((thing for known, thing in exercises() if known == name), None)


def check(*functions: object, seed: int | None = None) -> None:
    """Compare your functions with the right ones, each found by its name, and say what differs.

    Parameters
    ----------
    *functions : one or more; a text after a function names the exercise, where the function is called otherwise
    seed : repeats the inputs of an earlier call; fresh ones when left out

    Raises
    ------
    CheckFailed
        One line for each function that is not right, after all have been checked: those of the checks further down in
        the same cell of a notebook too.

    Examples
    --------
    >>> check(lambda x, y: y.mean(0) - x.mean(0), "gap_vector")
    gap_vector: right (compared on 5 fresh inputs in float64)
    >>> check()
    give a function with one of these names: affine_projection, best_alpha, ...
    """
    faults = []
    if not functions:
        return print("give a function with one of these names:", ", ".join(sorted(dict(exercises()))))
    for function, after in zip(functions, (*functions[1:], None), strict=True):
        if isinstance(function, str) and function is not functions[0]:
            continue
        name = after if isinstance(after, str) else getattr(function, "__name__", None)
        try:
            must_be_function(function, "gap_vector")
            if (checked := exercise(name)) is None:
                near = did_you_mean(name, dict(exercises()))
                raise CheckFailed(f"{name}: no exercise has this name{near}; check() lists them")
            print(checked(function, seed=seed))
        except CheckFailed as fault:
            faults.append(fault)
    if faults:
        faults += _faults_below(sys._getframe(1))
        raise CheckFailed("\n".join(map(str, faults))) from faults[0].__cause__


def _faults_below(frame: types.FrameType | None) -> list[CheckFailed]:
    """What the next checks of the same notebook cell complain of; of what lies between, only definitions are run."""
    while frame and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    if frame is None or "get_ipython" not in frame.f_globals:
        return []
    here, file = inspect.getframeinfo(frame).positions, frame.f_code.co_filename
    if here is None:
        return []
    for node in ast.parse("".join(linecache.getlines(file))).body:
        wanted = isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom | ast.Assign)
        wanted |= isinstance(node, ast.Expr) and ast.unparse(node).startswith("check")
        if wanted and (node.lineno, node.col_offset) > (here.lineno, here.col_offset):
            try:
                exec(compile(ast.Module([node], []), file, "exec"), frame.f_globals)
            except CheckFailed as fault:  # it has looked further down itself
                return [fault]
            except Exception:  # what cannot be run now says so when the first check passes
                break
    return []


def must_be_function(function, name: str) -> None:
    """Raise unless ``function`` can be called."""
    if not callable(function):
        raise CheckFailed(f"give the function itself: check({name}), without calling it")


def call(function: Any, arguments: tuple, name: str, **options) -> Result:
    """What ``function`` returns, as float64; raises `CheckFailed` if it fails or changes its input."""
    given = copy.deepcopy(arguments)
    try:
        result = function(*given, **copy.deepcopy(options))
    except NotImplementedError as fault:
        raise CheckFailed(f"{name} is not written yet") from fault
    except Exception as fault:  # whatever a learner's code may raise
        message = " ".join(str(fault).split())[:300]
        own = getattr(getattr(function, "__code__", None), "co_filename", None)
        lines = [step.line for step in traceback.extract_tb(fault.__traceback__) if step.filename == own]
        at = f" (at: {lines[-1]})" if lines and lines[-1] else ""
        if isinstance(fault, NameError):
            at += ": run the cell that imports or defines it first"
        raise CheckFailed(f"{name} stops with {type(fault).__name__}: {message}{at}") from fault
    for position, (before, after) in enumerate(zip(arguments, given, strict=True)):
        if isinstance(before, np.ndarray | torch.Tensor) and not _equal(*map(np.asarray, (before, after))):
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
            return [call(function, tuple(map(_as_torch, arguments)), name) for arguments in rounds]
        except CheckFailed as other:
            raise (fault if other.__cause__ else other) from fault.__cause__


def _as_torch(value: Any) -> Any:
    """An array as a float64 (or int64) tensor; anything else as it is."""
    return torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value


def _double(value) -> bool:
    return isinstance(value, np.ndarray | torch.Tensor) and str(value.dtype).endswith("float64")


def _equal(a: Result, b: Result) -> bool:
    if isinstance(a, tuple) or isinstance(b, tuple):
        return isinstance(a, tuple) and isinstance(b, tuple) and all(map(_equal, a, b))
    return np.array_equal(a, b, equal_nan=True)
