"""What moving a control of each explorer takes, beside a fixed piece of work of the same kind.

The fixed work is a blank picture and three products of 500 × 500 matrices. 150 ms is what feels immediate; on
the machine where that bar was set, the fixed work takes 55 ms. The bar is that ratio, so that slower and busier
machines are measured alike. The dynamics player simulates anew when its start is changed, which has no bar.
Redraws have one thread, as in `make lab`.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from statistics import median

from benchmarks.clock import in_a_new_python, once, yardstick
from benchmarks.rows import Row

MOST_RATIO = 0.150 / 0.055
MODELS = [f"miniclip-{name}" for name in ("wide", "siglip", "t0.01", "learned")]
METRICS = ("euclidean", "dot", "cosine")
EXPLORERS = {
    "closing_explorer": [{"metric": metric} for metric in METRICS],
    "gap_explorer": [{}],
    "similarity_explorer": [{"pairs": 100}],
    "orthogonality_explorer": [{}],
    "boundary_explorer": [{}],
    "dynamics_player": [{}],
}
"""Name in `gapkit.widgets` to what else is chosen, once for each entry, while one control after the other moves."""
MOVES = 6
CODE = "import json, sys; from benchmarks import redraws; print(json.dumps(redraws.times(sys.argv[1], int(sys.argv[2]))))"


def moves(control) -> Iterator[Callable[[], None]]:
    """Some moves of one control: to its other options, or step by step."""
    if hasattr(control, "options"):  # each once: some remember what they have shown
        options = [option[1] if isinstance(option, tuple) else option for option in control.options]
        values = [option for option in options if option != control.value]
    elif isinstance(control.value, bool):
        values = itertools.cycle((not control.value, control.value))
    else:
        way = 1 if control.value + (MOVES + 1) * control.step <= control.max else -1
        values = itertools.count(control.value + way * control.step, way * control.step)
    for value in itertools.islice(values, MOVES):
        yield lambda value=value: setattr(control, "value", value)


def times(explorer: str, repeats: int) -> dict[str, tuple[float, float]]:
    """For each control the median of seconds that a move takes, and that of the fixed work; one thread.

    Of several repeats, each of an explorer made anew, the one with the least ratio counts.
    """
    import torch

    from gapkit import widgets

    torch.set_num_threads(1)
    yardstick()
    found = {}
    for preset, _ in itertools.product(EXPLORERS[explorer], range(repeats)):
        build = getattr(widgets, explorer)
        box = build() if explorer in ("boundary_explorer", "dynamics_player") else build(MODELS)
        controls = {control.description: control for control in box.children[0].children}
        for name, value in preset.items():
            controls[name].value = value
        for name, control in controls.items():
            start = control.value
            pairs = [(once(move), once(yardstick)) for move in moves(control)]
            what = ", ".join((name, *map(str, preset.values())))
            turn = tuple(map(median, zip(*pairs, strict=True)))
            found[what] = min(turn, found.get(what, turn), key=lambda pair: pair[0] / pair[1])
            control.value = start
    return found


def rows(*, quick: bool = False, repeats: int = 3) -> Iterator[Row]:
    """All rows, each explorer in a process of its own."""
    for explorer in EXPLORERS:
        found = json.loads(in_a_new_python(CODE, explorer, str(1 if quick else repeats)))
        for move, (ours, fixed) in found.items():
            barred = explorer != "dynamics_player" or move == "recorded step"
            yield Row(
                f"{explorer}: {move}",
                ours,
                against="the fixed work",
                other=fixed,
                most_ratio=MOST_RATIO if barred else None,
            )
