"""The lessons' explorers for pages without a kernel: ``python tools/explorers.py FOLDER``.

Each is a Vega-Altair chart with sliders and menus over tables that gapkit computes beforehand, written as a script
``NAME.js``; Vega itself lies beside them as ``vega.js``, so that a page needs no network. ``index.html`` shows all five.
Pages of the book load the same scripts (`markup`).
"""

import hashlib
import html
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gapkit.closing import ClosingOutcome  # noqa: E402
from gapkit.embeddings import load_embeddings, recorded_figures  # noqa: E402
from gapkit.geometry import gap_axes, gap_vector, nearest, subspace_share_chance  # noqa: E402
from gapkit.plots.style import PALETTE  # noqa: E402
from gapkit.robustness import boundary_scene, robustness, sweep_boundary  # noqa: E402
from gapkit.widgets.measuring import marked_rows, orthogonality_numbers  # noqa: E402
from gapkit.widgets.theory import player_run  # noqa: E402

WIDE = 250
"""Width of a panel: one fits a telephone, two a page of the book."""
MODELS = [f"miniclip-{member}" for member in ("wide", "t0.01", "learned", "siglip", "random")]
SIDES = alt.Scale(domain=["text", "image"], range=[PALETTE["texts"], PALETTE["images"]])
SHAPES = alt.Scale(domain=["text", "image"], range=["circle", "triangle-up"])
Rows = list[dict]


def table(rows: Iterable[dict]) -> pd.DataFrame:
    """Rows as Vega takes them: numbers of five digits, no more than a reader is shown."""

    def short(value):
        return float(f"{value:.5g}") if isinstance(value, float | np.floating) else value

    return pd.DataFrame([{key: short(value) for key, value in row.items()} for row in rows])


def slider(name: str, label: str, low: float, high: float, step: float, value: float) -> alt.Parameter:
    """A slider; arrow keys move it."""
    return alt.param(name=name, value=value, bind=alt.binding_range(min=low, max=high, step=step, name=label))


def menu(name: str, label: str, options: list) -> alt.Parameter:
    """A list to choose from, its first entry chosen."""
    return alt.param(name=name, value=options[0], bind=alt.binding_select(options=options, name=label))


def chosen(*names: str) -> str:
    """The rows whose columns have the values of the controls of the same names."""
    return " && ".join(
        f"(isNumber({name}) ? abs(datum.{name} - {name}) < 1e-6 : datum.{name} === {name})" for name in names
    )


def readout(data: pd.DataFrame, where: str, *lines: str, height: int = 84) -> alt.Chart:
    """The numbers beside the picture: Vega expressions of one row, a line each."""
    shown = " + '\\n' + ".join(lines)
    return (
        alt.Chart(data, width=WIDE, height=height, name="numbers", title="In numbers")
        .transform_filter(where)
        .transform_calculate(shown=shown)
        .mark_text(align="left", baseline="top", fontSize=13, lineHeight=19, lineBreak="\n")
        .encode(x=alt.value(0), y=alt.value(4), text="shown:N")
    )


def fixed(value: str, digits: int = 2) -> str:
    """The Vega expression for a column with so many digits."""
    return f"format(datum.{value}, '.{digits}f')"


def real_models(level: str = "untouched 0.7") -> Rows:
    """What was recorded of published models."""
    rows = recorded_figures().query(f"level == '{level}'").to_dict("records")
    return [{key: value for key, value in row.items() if key != "name"} for row in rows]


def clip() -> dict:
    """CLIP ViT-B/16 on 500 pairs of COCO, recorded."""
    return next(row for row in real_models() if row["model"] == "CLIP ViT-B/16")


def intervals(
    value: str, title: str, mine: pd.DataFrame, where: str, *, height: int = 220, zero: bool = True
) -> alt.LayerChart:
    """Recorded real models with 95 % intervals, and what is chosen above them."""
    x = alt.X(f"{value}:Q", title=title, scale=alt.Scale(zero=zero), axis=alt.Axis(tickCount=5))
    order = [row["model"] for row in sorted(real_models(), key=lambda row: -row[value])] + MODELS
    y = alt.Y("model:N", title=None, sort=order, axis=alt.Axis(labelLimit=130))
    real = alt.Chart(table(real_models()))
    tip = ["model:N", alt.Tooltip(f"{value}:Q", format=".3f")]
    return alt.layer(
        real.mark_rule(color=PALETTE["grey"]).encode(x=f"{value}_low:Q", x2=f"{value}_high:Q", y=y),
        real.mark_point(color=PALETTE["grey"], filled=True, size=50).encode(x=x, y=y, tooltip=tip),
        alt.Chart(mine)
        .transform_filter(where)
        .mark_point(color=PALETTE["images"], filled=True, size=90, shape="diamond")
        .encode(x=x, y=y, tooltip=tip),
        width=WIDE - 20, height=height, title="Beside real models (recorded)",
    )  # fmt: skip


def mark_value(value: str, data: pd.DataFrame, where: str, **place) -> alt.Chart:
    """A rule at the chosen value."""
    return (
        alt.Chart(data)
        .transform_filter(where)
        .mark_rule(color=PALETTE["gap"], strokeDash=[3, 3])
        .encode(**place)
    )


def gap_explorer() -> tuple[alt.Chart, str]:
    """One image and its own text on the two sides of the gap."""
    points, pairs = [], []
    for model in MODELS:
        entries = load_embeddings(f"{model}/scenes100")
        x, y = (np.asarray(z, dtype=np.float64) for z in (entries.texts, entries.images))
        axes, origin = gap_axes(x, y)
        texts, images = (x - origin) @ axes, (y - origin) @ axes
        names, own, answers = entries.text_names, entries.labels, nearest(y, x)
        width = float(np.linalg.norm(gap_vector(x, y)))
        points += [
            {"chart": model, "side": "text", "name": name, "a": a, "b": b}
            for name, (a, b) in zip(names, texts, strict=True)
        ]
        for pair, row in enumerate(marked_rows(entries)):
            text, answer = own[row], answers[row]
            (a, b), (a2, b2) = images[row], texts[text]
            points.append(
                {"chart": model, "side": "image", "name": f"image {row} of {names[text]}", "a": a, "b": b}
            )
            pairs.append(
                {"chart": model, "model": model, "pair": pair, "row": int(row), "own": names[text], "a": a, "b": b,
                 "a2": a2, "b2": b2, "answer": names[answer], "right": "right" if answer == text else "wrong",
                 "cosine": x[text] @ y[row] / np.linalg.norm(x[text]) / np.linalg.norm(y[row]), "gap_norm": width}
            )  # fmt: skip
    controls = menu("chart", "model ", MODELS), slider("pair", "marked pair ", 0, 119, 1, 0)
    data, where = table(pairs), chosen("chart", "pair")
    along, across = (
        alt.X("a:Q", title="along the gap", axis=alt.Axis(tickCount=5)),
        alt.Y("b:Q", title="across it, where they vary most"),
    )
    cloud = (
        alt.Chart(table(points))
        .transform_filter(chosen("chart"))
        .mark_point(filled=True, opacity=0.6, size=28)
        .encode(along, across, alt.Color("side:N", scale=SIDES, title=None, legend=alt.Legend(orient="top")),
                alt.Shape("side:N", scale=SHAPES, title=None), tooltip=["side:N", "name:N"])
    )  # fmt: skip
    line = alt.Chart(data).transform_filter(where).mark_rule(color=PALETTE["gap"], strokeWidth=2)
    picture = alt.layer(cloud, line.encode(x="a:Q", y="b:Q", x2="a2:Q", y2="b2:Q"), width=WIDE, height=300)
    words = readout(
        data, where, "'gap ‖g‖ ' + " + fixed("gap_norm"),
        "'image ' + datum.row + ', its text: ' + datum.own", "'their cosine ' + " + fixed("cosine"),
        "'nearest text: ' + datum.answer + ', ' + datum.right",
    )  # fmt: skip
    beside = intervals("gap_norm", "width of the gap ‖g‖", data, where)
    return alt.concat(picture, alt.vconcat(words, beside), columns=2).add_params(*controls), (
        "Texts and images of a small CLIP on the two sides of the gap; a line joins one image to its own text."
    )


def orthogonality_explorer() -> tuple[alt.Chart, str]:
    """How much of the gap lies in the leading components, and how much varies along it."""
    shares, spectra, along = [], [], []
    for model in MODELS:
        entries = load_embeddings(f"{model}/scenes100")
        texts, images = (np.asarray(z, dtype=np.float64) for z in (entries.texts, entries.images))
        shown, bands = orthogonality_numbers(texts, images)
        for side, label in (("texts", "text"), ("images", "image")):
            spectra += [
                {"chart": model, "side": label, "component": k, "variance": v}
                for k, v in enumerate(shown.spectra[side][:99], start=1)
            ]
            along.append({"chart": model, "side": label, "variance": shown.along[side]})
        for k, share in enumerate(shown.shares, start=1):
            chance = subspace_share_chance(k, texts.shape[1])
            low, high = chance.low**2, chance.high**2
            shares.append(
                {"chart": model, "model": model, "k": k, "share": share, "low": low, "high": high,
                 "place": "below chance" if share < low else "above chance" if share > high else "like chance",
                 "variance_images": shown.along["images"], "variance_texts": shown.along["texts"],
                 "from": bands["texts"].low, "to": bands["texts"].high}
            )  # fmt: skip
    controls = menu("chart", "model ", MODELS), slider("k", "components k ", 1, 99, 1, 20)
    data, where = table(shares), chosen("chart", "k")
    base = alt.Chart(data).transform_filter(chosen("chart"))
    x = alt.X("k:Q", title="leading components of the texts")
    share = alt.layer(
        base.mark_area(color=PALETTE["grey"], opacity=0.3).encode(x, y="low:Q", y2="high:Q"),
        base.mark_line(color=PALETTE["texts"]).encode(x, alt.Y("share:Q", title="squared share of the gap")),
        mark_value("k", data, where, x="k:Q"),
        alt.Chart(data).transform_filter(where).mark_point(color=PALETTE["images"], filled=True, size=90)
        .encode(x="k:Q", y="share:Q", tooltip=["k:Q", "share:Q", "place:N"]),
        width=WIDE, height=240, title="Share in the first k; grey: random directions",
    )  # fmt: skip
    lines = alt.Chart(table(spectra)).transform_filter(chosen("chart")).mark_line()
    colour = alt.Color("side:N", scale=SIDES, title=None, legend=alt.Legend(orient="top"))
    dashes = alt.Scale(
        domain=["text", "image"], range=[[5, 3], [1, 0]]
    )  # in the order of the colours: one legend
    dash = alt.StrokeDash("side:N", title=None, scale=dashes, legend=alt.Legend(orient="top"))
    log = alt.Y(
        "variance:Q",
        title="variance (1: average direction)",
        scale=alt.Scale(type="log", domainMin=1e-3, clamp=True),
    )
    spectrum = alt.layer(
        lines.encode(alt.X("component:Q", title="component"), log, colour, dash,
                     tooltip=["side:N", "component:Q", "variance:Q"]),
        alt.Chart(table(along)).transform_filter(chosen("chart")).mark_rule(strokeWidth=2)
        .encode(y=log, color=colour, strokeDash=dash, tooltip=["side:N", "variance:Q"]),
        width=WIDE, height=240, title="Spectrum; level lines: along the gap",
    )  # fmt: skip
    words = readout(
        data, where, "'first ' + datum.k + ' components: share ' + " + fixed("share", 3),
        "'random: ' + " + fixed("low", 3) + " + ' to ' + " + fixed("high", 3) + " + ', so ' + datum.place",
        "'along the gap: texts ' + " + fixed("variance_texts") + " + ', images ' + " + fixed("variance_images"),
        "'random directions, texts: ' + " + fixed("from") + " + ' to ' + " + fixed("to"),
    )  # fmt: skip
    beside = intervals("variance_images", "images’ variance along the gap", data, where)
    return alt.concat(share, spectrum, words, beside, columns=2).add_params(*controls), (
        "The squared share of the gap in the first k components beside chance, and the spectrum of both modalities."
    )


def dynamics_explorer() -> tuple[alt.Chart, str]:
    """Two clusters under the contrastive gradient, step by step."""
    taus, pairs, frames = (0.01, 0.05, 0.2, 0.5), 20, []
    points, moments = [], []
    for tau in taus:
        run = player_run("cones", tau, 1.0, 1.0, True).run
        axes, origin = gap_axes(run.x[0], run.y[0])
        frames = np.unique(np.linspace(0, len(run) - 1, 41).round().astype(int))
        for frame, index in enumerate(frames):
            for side, z in (("text", run.x), ("image", run.y)):
                flat = (z[index][:pairs] - origin) @ axes
                points += [
                    {
                        "tau": tau,
                        "frame": frame,
                        "side": side,
                        "pair": n,
                        "a": round(float(a), 3),
                        "b": round(float(b), 3),
                    }
                    for n, (a, b) in enumerate(flat)
                ]
            moments.append(
                {"tau": tau, "frame": frame, "step": int(run.steps[index]), "gap": run.gap[index],
                 "variance": run.variance_along_gap_y[index], "accuracy": run.accuracy[index], "loss": run.loss[index]}
            )  # fmt: skip
    controls = menu("tau", "τ ", list(taus)), slider("frame", "recorded step ", 0, len(frames) - 1, 1, 0)
    data, where = table(moments), chosen("tau", "frame")
    cloud = (
        alt.Chart(table(points), width=WIDE, height=280, title="The pairs: the first gap points upwards")
        .transform_filter(where)
        .mark_point(filled=True, size=36)
        .encode(alt.X("b:Q", title="across the first gap", scale=alt.Scale(domain=[-1.1, 1.1])),
                alt.Y("a:Q", title="along it", scale=alt.Scale(domain=[-1.1, 1.1])),
                alt.Color("side:N", scale=SIDES, title=None, legend=alt.Legend(orient="top")),
                alt.Shape("side:N", scale=SHAPES, title=None), tooltip=["side:N", "pair:Q"])
    )  # fmt: skip
    names = {"gap": "gap ‖g‖", "variance": "variance along it", "accuracy": "accuracy"}
    curves = (
        alt.Chart(data)
        .transform_filter(chosen("tau"))
        .transform_calculate(s="datum.step + 1")
        .transform_fold(list(names), ["what", "value"])
        .transform_calculate(
            line=" : ".join(f"datum.what === '{key}' ? '{name}'" for key, name in names.items()) + " : ''"
        )
    )
    x = alt.X(
        "s:Q", title="step + 1", scale=alt.Scale(type="log"), axis=alt.Axis(values=[1, 10, 100, 1000, 10000])
    )
    run = alt.layer(
        curves.mark_line().encode(
            x, alt.Y("value:Q", title="value"), alt.Color("line:N", title=None, legend=alt.Legend(orient="top")),
            alt.StrokeDash("line:N", title=None), tooltip=["line:N", "step:Q", "value:Q"]),
        alt.Chart(data).transform_filter(where).transform_calculate(s="datum.step + 1")
        .mark_rule(color=PALETTE["gap"], strokeDash=[3, 3]).encode(x="s:Q"),
        alt.Chart(table([clip()])).mark_rule(color=PALETTE["grey"]).encode(
            y="gap_norm:Q", tooltip=["model:N", alt.Tooltip("gap_norm:Q", title="gap, recorded")]),
        width=WIDE, height=240, title=f"The whole run; grey: CLIP ViT-B/16’s gap, {clip()['gap_norm']:.2f}",
    )  # fmt: skip
    words = readout(
        data, where, "'step ' + datum.step + ' at τ = ' + datum.tau", "'gap ‖g‖ ' + " + fixed("gap", 3),
        "'variance along it ' + format(datum.variance, '.2g') + ' (1: as in any direction)'",
        "'accuracy ' + " + fixed("accuracy") + " + ', loss ' + " + fixed("loss", 3),
    )  # fmt: skip
    return alt.concat(cloud, alt.vconcat(run, words), columns=2).add_params(*controls), (
        "Texts and images during training in the plane of the first gap, and gap, variance along it and accuracy over the steps."
    )


def boundary_explorer() -> tuple[alt.Chart, str]:
    """The boundary between two candidates, turned by noise, and the query above it."""
    gaps, sigmas = np.arange(0, 2.55, 0.1).round(2), np.arange(0.02, 0.51, 0.02).round(2)
    margins, kept, lines = [0.15, 0.05, 0.25, 0.35, 0.45], [], []
    for sigma in sigmas:
        noisy, _ = sweep_boundary(0.0, sigma, draws=30)
        middle, normal = noisy.mean(1), noisy[:, 1] - noisy[:, 0]
        for draw in range(len(noisy)):
            ends = [
                float(middle[draw, 0] - normal[draw, 1] / normal[draw, 0] * (height - middle[draw, 1]))
                for height in (-0.6, 2.7)
            ]
            lines.append(
                {"sigma": sigma, "draw": draw, "x": ends[0], "y": -0.6, "x2": ends[1], "y2": 2.7,
                 "left": float(np.sign(normal[draw, 0]))}
            )  # fmt: skip
        for margin in margins:
            scenes = [boundary_scene(float(gap), margin=margin) for gap in gaps]
            queries = np.concatenate([query for _, query in scenes])
            found = robustness(
                queries, scenes[0][0], sigma=float(sigma), metric="euclidean", noise_on="gallery"
            )
            kept += [
                {"sigma": sigma, "margin": margin, "gap": gap, "x": -margin, "kept": p, "closed": found[0]}
                for gap, p in zip(gaps, found, strict=True)
            ]
    controls = (
        slider("gap", "gap ", 0, 2.5, 0.1, 1.0), slider("sigma", "noise σ ", 0.02, 0.5, 0.02, 0.16), menu("margin", "margin ", margins)
    )  # fmt: skip
    data, where = table(kept), chosen("gap", "sigma", "margin")
    x = alt.X("x:Q", title="across the boundary", scale=alt.Scale(domain=[-1.3, 1.3]))
    y = alt.Y("y:Q", title="along the gap", scale=alt.Scale(domain=[-0.6, 2.7], nice=False))
    fan = (
        alt.Chart(table(lines))
        .transform_filter(chosen("sigma"))
        .transform_calculate(
            answer="datum.left * (datum.x + (gap + 0.6) / 3.3 * (datum.x2 - datum.x) + margin) > 0 ? 'keeps its answer' : 'swept over'"
        )
        .mark_rule(clip=True)
        .encode(x, y, x2="x2:Q", y2="y2:Q", tooltip=["draw:Q", "answer:N"],
                color=alt.Color("answer:N", title=None, legend=alt.Legend(orient="top"),
                                scale=alt.Scale(domain=["keeps its answer", "swept over"], range=[PALETTE["grey"], PALETTE["pink"]])),
                strokeDash=alt.StrokeDash("answer:N", title=None, scale=alt.Scale(
                    domain=["keeps its answer", "swept over"], range=[[1, 0], [5, 3]])))
    )  # fmt: skip
    candidates = table([{"x": -0.5, "y": 0, "name": "answer"}, {"x": 0.5, "y": 0, "name": "rival"}])
    dots = (
        alt.Chart(candidates)
        .mark_point(filled=True, size=90, color=PALETTE["texts"])
        .encode(x, y, tooltip="name:N")
    )
    labels = alt.Chart(candidates).mark_text(dy=16).encode(x, y, text="name:N")
    query = (
        alt.Chart(data)
        .transform_filter(where)
        .mark_point(filled=True, size=110, shape="triangle-up", color=PALETTE["images"], opacity=1)
        .encode(x=x, y=alt.Y("gap:Q"), tooltip=[alt.Tooltip("gap:Q", title="query, at gap")])
    )
    picture = alt.layer(fan, dots, labels, query, width=WIDE, height=360)
    curve = alt.layer(
        alt.Chart(data).transform_filter(chosen("sigma", "margin")).mark_line(color=PALETTE["images"]).encode(
            alt.X("gap:Q", title="gap"),
            alt.Y("kept:Q", title="probability to keep the answer", scale=alt.Scale(domain=[0.4, 1])),
            tooltip=["gap:Q", "kept:Q"]),
        alt.Chart(data).transform_filter(where).mark_point(filled=True, size=90, color=PALETTE["images"], shape="triangle-up")
        .encode(x="gap:Q", y="kept:Q", tooltip=["gap:Q", "kept:Q"]),
        alt.Chart(table([clip()])).mark_rule(color=PALETTE["grey"]).encode(
            x="gap_norm:Q", tooltip=["model:N", alt.Tooltip("gap_norm:Q", title="gap, recorded")]),
        width=WIDE, height=200, title=f"Exact; grey: CLIP ViT-B/16’s gap, {clip()['gap_norm']:.2f}",
    )  # fmt: skip
    words = readout(
        data, where, "'gap ' + " + fixed("gap", 1) + " + ', noise σ = ' + " + fixed("sigma"),
        "'kept with probability ' + " + fixed("kept", 3), "'with the gap closed ' + " + fixed("closed", 3),
    )  # fmt: skip
    return alt.concat(picture, alt.vconcat(words, curve), columns=2).add_params(*controls), (
        "Two candidates, thirty boundaries between them turned by noise, and the query above; dashed ones swept over it."
    )


def closing_explorer() -> tuple[alt.Chart, str]:
    """What closing does to accuracy, answers and robustness."""
    rows, alphas, sigmas = [], np.arange(-0.5, 1.55, 0.1).round(1), [0.02, 0.04]
    datasets, metrics = ["digits10", "scenes100"], ["euclidean", "dot"]
    for dataset in datasets:
        entries = load_embeddings(f"miniclip-wide/{dataset}")
        outcome = ClosingOutcome(entries.texts, entries.images, entries.labels)
        for metric in metrics:
            for alpha in alphas:
                for sigma in sigmas:
                    found = outcome.closed(
                        alpha=float(alpha), components=outcome.most_components, sigma=sigma, metric=metric
                    )
                    before, after = (float(found[when].mean()) for when in ("before", "after"))
                    rows.append(
                        {"model": "miniclip-wide", "data": dataset, "metric": metric, "alpha": alpha, "sigma": sigma,
                         "accuracy": found["accuracy"], "agreement": found["agreement"], "before": before,
                         "after": after, "gain": after - before}
                    )  # fmt: skip
    controls = (
        slider("alpha", "α ", -0.5, 1.5, 0.1, 1.0), menu("data", "dataset ", datasets),
        menu("metric", "metric ", metrics), menu("sigma", "noise σ ", sigmas),
    )  # fmt: skip
    data, where = table(rows), chosen("alpha", "data", "metric", "sigma")
    names = {
        "after": "answers that survive the noise",
        "agreement": "same answers",
        "accuracy": "right answers",
    }
    lines = (
        alt.Chart(data)
        .transform_filter(chosen("data", "metric", "sigma"))
        .transform_fold(list(names), ["what", "value"])
        .transform_calculate(line=" : ".join(f"datum.what === '{key}' ? '{name}'" for key, name in names.items()) + " : ''")
        .mark_line()
        .encode(alt.X("alpha:Q", title="α: how far the gap is closed"), alt.Y("value:Q", title="share of the images", scale=alt.Scale(zero=False)),
                alt.Color("line:N", title=None, legend=alt.Legend(orient="top", columns=1)), alt.StrokeDash("line:N", title=None),
                tooltip=["line:N", "alpha:Q", "value:Q"])
    )  # fmt: skip
    picture = alt.layer(lines, mark_value("alpha", data, where, x="alpha:Q"), width=WIDE, height=300)
    words = readout(
        data, where, "'α = ' + " + fixed("alpha", 1) + " + ', σ = ' + datum.sigma + ', ' + datum.metric",
        "'right answers ' + " + fixed("accuracy", 3), "'same answers ' + " + fixed("agreement", 3),
        "'survive the noise: ' + " + fixed("before", 3) + " + ' before, ' + " + fixed("after", 3) + " + ' now'",
    )  # fmt: skip
    beside = intervals("gain", "gain in robustness (real models: at α = 1)", data, where)
    return alt.concat(picture, alt.vconcat(words, beside), columns=2).add_params(*controls), (
        "Right answers, same answers and answers that survive noise, over how far the gap is closed."
    )


EXPLORERS: dict[str, tuple[str, Callable]] = {
    "gap": ("The gap, pair by pair", gap_explorer),
    "orthogonality": ("Is the gap orthogonal?", orthogonality_explorer),
    "dynamics": ("How the gap forms", dynamics_explorer),
    "boundary": ("Why distance costs robustness", boundary_explorer),
    "closing": ("Closing the gap", closing_explorer),
}
"""Name to title and maker, in the order of the lessons."""

SCRIPT = """
function explorer(name, spec) {
  const place = document.getElementById('explorer-' + name);
  if (!place) return;
  const narrow = place.clientWidth < 740;
  if (narrow) spec.columns = 1;
  const said = document.createElement('p');
  said.setAttribute('role', 'status');
  said.style.cssText = 'position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)';
  vegaEmbed(place, spec, {renderer: 'svg', actions: false}).then(({view}) => {
    place.append(said);
    const say = () => {
      const lines = [...place.querySelectorAll('.numbers_marks tspan')].map(line => line.textContent);
      if (said.textContent !== lines.join('; ')) said.textContent = lines.join('; ');
    };
    for (const param of spec.params) view.addSignalListener(param.name, () => view.runAsync().then(say));
    say();
    place.dataset.ready = 'true';
  });
}
"""
STYLE = """
.explorer {overflow-x: auto; position: relative; margin: 1em 0}
.explorer .vega-bindings {display: flex; flex-wrap: wrap; gap: .4em 1.4em; margin-bottom: .6em}
.explorer .vega-bind label {display: inline-flex; align-items: center; gap: .4em}
.explorer .vega-bind input[type=range] {width: 170px}
.explorer :is(input, select):focus-visible {outline: 2px solid #0072B2; outline-offset: 2px}
.explorer.vega-embed {display: flex; flex-direction: column-reverse; align-items: flex-start; width: 100%}
"""


def markup(name: str, scripts: str) -> str:
    """The HTML that shows one explorer; ``scripts`` is where the scripts lie, seen from the page."""
    title = html.escape(EXPLORERS[name][0])
    sources = "".join(f'<script src="{scripts}/{file}.js"></script>' for file in ("vega", name))
    style = f"<style>{' '.join(STYLE.split())}</style>"
    return (
        f'{style}<div class="explorer" id="explorer-{name}" role="group" aria-label="{title}"></div>{sources}'
    )


def page() -> str:
    """All five on one page that stands alone."""
    parts = [f"<h2>{title}</h2>{markup(name, '.')}" for name, (title, _) in EXPLORERS.items()]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Play with it</title>'
    )
    look = "<style>body{font-family:sans-serif;margin:1em auto;max-width:820px;padding:0 .8em}</style>"
    return f'<!doctype html><html lang="en"><head>{head}{look}</head><body><h1>Play with it</h1>{"".join(parts)}</body></html>'


def fingerprint() -> str:
    """Of everything that the explorers are made from."""
    files = [Path(__file__), *sorted((ROOT / "gapkit").rglob("*.py")), ROOT / "data" / "manifest.json"]
    files += sorted((ROOT / "data" / "recorded").iterdir())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def build(folder: Path) -> Path:
    """Write everything into ``folder``, unless it is there already and made from the same files."""
    stamp, made_from = folder / "made_from.txt", fingerprint()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == made_from:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    alt.data_transformers.disable_max_rows()
    bundle = vl_convert.javascript_bundle(vl_version=".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2]))
    # names of its own: pages of the book have others' scripts, and a page of several explorers asks for it again
    guard = f"window.vegaEmbed || (() => {{\n{bundle}\n}})();\n"
    (folder / "vega.js").write_text(guard + SCRIPT, encoding="utf-8")
    for name, (title, make) in EXPLORERS.items():
        chart, description = make()
        chart = chart.resolve_scale(color="independent", shape="independent", strokeDash="independent")
        spec = (
            chart.properties(description=f"{title}. {description}").configure_view(strokeOpacity=0).to_dict()
        )
        text = json.dumps(spec, ensure_ascii=False, separators=(",", ":"))
        (folder / f"{name}.js").write_text(f"explorer({name!r}, {text});\n", encoding="utf-8")
    (folder / "index.html").write_text(page(), encoding="utf-8")
    stamp.write_text(made_from, encoding="utf-8")
    return folder


if __name__ == "__main__":
    print(build(Path(sys.argv[1])) / "index.html")
