"""Several captions of an image: any of them is right, pairs run over all of them, and they are drawn with their image."""

import warnings

import numpy as np
import pandas
import pytest
from click.testing import CliRunner
from scipy.spatial.distance import cdist

from gapkit.cli.main import group
from gapkit.closing import GapCloser
from gapkit.embeddings import EmbeddingSet, answer, close_set, import_embeddings, sampling
from gapkit.embeddings.evaluation import measure_set
from gapkit.errors import GapkitWarning, InputError
from gapkit.experiments.galleries import gallery_task, possible_sizes
from gapkit.experiments.record import Job
from gapkit.experiments.retrieval import measure_retrieval
from gapkit.geometry import measure, share_intervals, variance_intervals
from gapkit.geometry.resampled import gap_interval
from gapkit.tasks import retrieval

N, D = 30, 24
RNG = np.random.default_rng(5)
OWNER = RNG.permutation(np.concatenate([np.arange(N), RNG.integers(N, size=70)]))  # 1 to 7 captions an image
K = len(OWNER)
Y = RNG.standard_normal((N, D)) + 1
X = Y[OWNER] + 0.9 * RNG.standard_normal((K, D)) - 1
FILES = [f"{i}.jpg" for i in range(N)]
CAPTIONS = [f"caption {i}" for i in range(K)]
SET = EmbeddingSet(
    images=Y, texts=X, task="pairs", image_of_text=OWNER, text_names=CAPTIONS, image_names=FILES
)


def counted_recall(k):
    """Recall by sorting all distances, query by query."""
    costs = cdist(Y, X)
    to_text = np.mean([i in OWNER[np.argsort(costs[i])[:k]] for i in range(N)])
    to_image = np.mean([OWNER[j] in np.argsort(costs[:, j])[:k] for j in range(K)])
    return to_text, to_image


def test_the_map_survives_the_file_and_one_caption_each_needs_none(tmp_path):
    again = EmbeddingSet.load(SET.save(tmp_path / "a.safetensors"))
    assert np.array_equal(again.image_of_text, OWNER)
    plain = EmbeddingSet(images=Y, texts=Y, task="pairs", image_of_text=range(N))
    assert plain.image_of_text is None
    assert EmbeddingSet.load(plain.save(tmp_path / "b.safetensors")).image_of_text is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_of_text": OWNER[:-1]}, "image_of_text must have 100 entries"),
        ({"image_of_text": OWNER + 1}, "image_of_text"),
        ({"image_of_text": np.where(OWNER == 4, 3, OWNER)}, "image 4 has no text"),
        ({"image_of_text": None}, "matched row by row"),
        ({"task": "zero-shot", "labels": np.zeros(N, int)}, "belongs to the task 'pairs'"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(changes, message):
    fields = {"images": Y, "texts": X, "task": "pairs", "image_of_text": OWNER}
    with pytest.raises(InputError, match=message):
        EmbeddingSet(**(fields | changes))


def test_pairs_run_over_all_captions_and_any_of_an_images_is_right():
    texts, images = SET.matched()
    assert np.array_equal(texts, X) and np.array_equal(images, Y[OWNER])
    values = measure_set(SET)
    assert values["l2m"] == pytest.approx(np.linalg.norm(Y[OWNER].mean(0) - X.mean(0)))
    assert values["l2i"] == pytest.approx(np.linalg.norm(Y[OWNER] - X, axis=1).mean())
    assert values["accuracy"] == counted_recall(1)[0]
    given, right = answer(SET)
    assert (given == right).mean() == counted_recall(1)[0]


@pytest.fixture(scope="module")
def replicated(tmp_path_factory):
    path = str(SET.save(tmp_path_factory.mktemp("sets") / "a.safetensors"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GapkitWarning)  # more captions than dimensions: nothing moves
        job = Job("retrieval", "m", path, path=path, options={"quick": True})
        return pandas.DataFrame(measure_retrieval(job)["retrieval"])


def test_recall_is_counted_as_the_field_counts_it(replicated):
    rows = replicated[replicated.alpha == 0].groupby("direction").first()
    scores = retrieval(SET.texts, SET.images, image_of_text=SET.image_of_text)
    for k in (1, 5, 10):
        both = counted_recall(k)
        assert (scores[f"image_to_text_R@{k}"], scores[f"text_to_image_R@{k}"]) == pytest.approx(both)
        assert tuple(rows[f"recall_at_{k}"][["image to text", "text to image"]]) == pytest.approx(both)
    assert tuple(rows.clean_accuracy[["image to text", "text to image"]]) == pytest.approx(counted_recall(1))


def test_noisy_recall_counts_every_caption_of_the_image(replicated):
    for (direction, _), level in replicated[replicated.alpha == 0].groupby(["direction", "level"]):
        row, rng, hits = level.iloc[0], np.random.default_rng(1), []
        for _ in range(200):
            noisy = (
                X if direction == "image to text" else Y
            ) + row.sigma_per_coordinate * rng.standard_normal((K if direction == "image to text" else N, D))
            if direction == "image to text":
                hits.append((OWNER[cdist(Y, noisy).argmin(1)] == np.arange(N)).mean())
            else:
                hits.append((cdist(X, noisy).argmin(1) == OWNER).mean())
        assert abs(np.mean(hits) - row.noisy_accuracy) < 6 * np.std(hits) / 200**0.5 + 0.01


def test_captions_of_one_image_are_drawn_together():
    """Copies of a pair are no more data than the pair: the same intervals, to the last digit that matters."""
    times = 4
    owner = np.tile(np.arange(N), times)
    x, y = X[:N], Y
    many = np.tile(x, (times, 1)), np.tile(y, (times, 1))
    options = {"paired": True, "resamples": 60, "seed": 3}
    assert gap_interval(*many, together=owner, **options) == pytest.approx(gap_interval(x, y, **options))
    for a, b in zip(
        variance_intervals(*many, together=owner, **options), variance_intervals(x, y, **options), strict=True
    ):
        assert a == pytest.approx(b)
    components = [1, 3]
    for a, b in zip(
        share_intervals(*many, components, together=owner, **options),
        share_intervals(x, y, components, **options),
        strict=True,
    ):
        assert a == pytest.approx(b)
    drawn = measure(*many, intervals=True, together=owner, **options)
    once = measure(x, y, intervals=True, **options)
    for name in ("l2m", "l2i", "matched_cosine"):
        assert drawn[name] == pytest.approx(once[name])
    assert sampling(SET)["together"] is SET.image_of_text


def test_closing_keeps_the_captions_and_small_galleries_have_one_of_each_image():
    closed = close_set(SET, GapCloser(n_components=3))
    assert np.array_equal(closed.image_of_text, OWNER)
    one_each = SET.first_captions()
    firsts = [int(np.flatnonzero(i == OWNER)[0]) for i in range(N)]
    assert np.array_equal(one_each.texts, X[firsts]) and one_each.image_of_text is None
    assert one_each.text_names == tuple(CAPTIONS[i] for i in firsts)
    assert possible_sizes(SET, [6, 7]) == [6]
    task = gallery_task(SET, "m", "d", 5, partitions=2)
    for queries, gallery in zip(task.queries, task.gallery, strict=True):
        rows = [int(np.flatnonzero((y == Y).all(1))[0]) for y in queries]
        assert np.array_equal(gallery, X[np.array(firsts)[rows]])
        assert len(set(rows)) == 5


def frames(path):
    names = [f"d{j}" for j in range(D)]
    images, texts = pandas.DataFrame(Y, columns=names), pandas.DataFrame(X, columns=names)
    files = [FILES[i] for i in OWNER]
    images.assign(file_name=FILES).to_csv(path / "images.csv", index=False)
    texts.assign(file_name=files, caption=CAPTIONS).to_csv(path / "texts.csv", index=False)
    images.assign(id=np.arange(N) + 700).to_csv(path / "images_id.csv", index=False)
    texts.assign(image_id=OWNER + 700).to_csv(path / "texts_id.csv", index=False)
    texts[:N].assign(id=RNG.permutation(N) + 700).to_csv(path / "texts_other_id.csv", index=False)
    texts.assign(image_id=OWNER + 701).to_csv(path / "texts_lost.csv", index=False)
    pandas.DataFrame({"id": np.arange(N), "emb": list(Y)}).to_parquet(path / "images.parquet")
    pandas.DataFrame({"image_id": OWNER, "emb": list(X)}).to_parquet(path / "texts.parquet")
    both = {"path": files, "caption": CAPTIONS, "image_emb": list(Y[OWNER]), "text_emb": list(X)}
    pandas.DataFrame(both).to_parquet(path / "both.parquet")
    np.savez(path / "ids.npz", images=Y, texts=X, image_ids=OWNER)
    np.savez(path / "repeated.npz", images=Y[OWNER], texts=X)
    np.save(path / "images.npy", Y)
    np.save(path / "texts.npy", X[np.argsort(OWNER, kind="stable")])
    np.save(path / "owner.npy", np.sort(OWNER))
    np.save(path / "three.npy", X[: 3 * N])


GROUPED = {
    "file names": (("images.csv", "texts.csv"), {}),
    "ids": (("images_id.csv", "texts_id.csv"), {}),
    "ids in parquet": (("images.parquet", "texts.parquet"), {}),
    "one table": (("both.parquet",), {}),
    "archive with ids": (("ids.npz",), {}),
    "archive with repeated images": (("repeated.npz",), {}),
    "rows said": (("images.npy", "texts.npy"), {"image_of_text": "owner.npy"}),
}


@pytest.mark.parametrize("case", GROUPED)
def test_captions_of_one_image_are_grouped_on_import(tmp_path, case):
    frames(tmp_path)
    files, options = GROUPED[case]
    options = {name: tmp_path / file for name, file in options.items()}
    entries = import_embeddings(*(tmp_path / file for file in files), normalise="no", **options)
    assert (len(entries.images), len(entries.texts)) == (N, K)
    order = np.argsort(OWNER, kind="stable") if options else np.arange(K)
    assert np.array_equal(entries.texts, X[order])
    assert np.array_equal(entries.matched()[1], Y[OWNER[order]])
    assert f"{K} captions of {N} images" in entries.metadata["columns"][-1]


def test_captions_of_each_image_are_counted_off_and_the_first_kept_where_that_is_said(tmp_path):
    frames(tmp_path)
    paths = tmp_path / "images.npy", tmp_path / "three.npy"
    with pytest.raises(InputError, match="say with --image-of-text 3 "):
        import_embeddings(*paths)
    entries = import_embeddings(*paths, normalise="no", image_of_text=3)
    assert np.array_equal(entries.image_of_text, np.repeat(np.arange(N), 3))
    first = import_embeddings(*paths, normalise="no", image_of_text=3, captions="first")
    assert np.array_equal(first.texts, X[: 3 * N : 3]) and first.image_of_text is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("images_id.csv", "texts_other_id.csv"), "in another order: say --image-of-text 1"),
        (("images_id.csv", "texts_lost.csv"), "such as '730'"),
    ],
)
def test_names_of_images_that_contradict_the_rows_are_refused(tmp_path, files, message):
    frames(tmp_path)
    with pytest.raises(InputError, match=message):
        import_embeddings(*(tmp_path / file for file in files))


TURN = np.array([3, 1, 0, 2, *range(N - 1, 3, -1)])
"""Rows of the texts in another order than those of the images."""


def turned(path, kind):
    """Two files (or one) of as many texts as images, in another order, and what tells the order."""
    names, fs, turn = [f"d{j}" for j in range(D)], np.array(FILES), TURN
    y, x = pandas.DataFrame(Y, columns=names), pandas.DataFrame(X[TURN], columns=names)
    csv, ids = {"index": False}, [np.arange(N) + 700, turn + 700]
    if kind == "an id beside paths":
        y, x = y.assign(path=fs, image_id=ids[0]), x.assign(caption=CAPTIONS[:N], image_id=ids[1])
    elif kind == "ids of rows beside ids of images":
        y, x = y.assign(id=range(N), image_id=ids[0]), x.assign(id=range(N), image_id=ids[1])
    elif kind == "folders on one side":
        y, x = y.assign(path=[f"/data/{name}" for name in fs]), x.assign(file_name=fs[turn])
    elif kind == "endings on one side":
        y, x = y.assign(file_name=fs), x.assign(image_id=[name.rpartition(".")[0] for name in fs[turn]])
    elif kind == "zeros before the numbers":
        y, x = y.assign(image_id=[f"{i:06d}" for i in ids[0]]), x.assign(image_id=ids[1])
    elif kind in ("files in an index", "files in an index, parquet"):
        y, x, csv = y.set_index(fs), x.set_index(fs[turn]), {}
    elif kind in ("numbers in an index", "numbers in an index, parquet"):
        x, csv = x.set_index(turn), {}
    elif kind == "files, no header":
        y, x, csv = y.set_index(fs), x.set_index(fs[turn]), {"header": False}
    elif kind == "a name twice":
        y, x = y.assign(image_id=ids[0] // 2), x.assign(image_id=ids[1] // 2)
    elif kind == "one file is another":
        y, x = y.assign(file_name=fs), x.assign(file_name=[*fs[1:], "other.jpg"])
    elif kind == "captions with numbers of their own":
        y, x = y.assign(file_name=fs), x.assign(caption_id=turn)
    elif kind == "numbered texts beside an array":
        np.save(path / "y.npy", Y)
        x.assign(image_id=turn).to_csv(path / "x.csv", **csv)
        return "y.npy", "x.csv"
    else:
        owner = {"image_of_text": {"image_of_text": turn}, "image_ids": {"image_ids": turn}}.get(kind)
        names = {"image_names": fs, "text_names": fs[turn]} if kind == "names in an archive" else {}
        if kind == "gapkit's own":
            EmbeddingSet(Y, X[turn], "pairs", image_of_text=turn).save(path / "a.safetensors")
            return ("a.safetensors",)
        np.savez(path / "a.npz", images=Y, texts=X[turn], **(owner or names))
        return ("a.npz",)
    if kind.endswith("parquet"):
        y.to_parquet(path / "y.parquet")
        x.to_parquet(path / "x.parquet")
        return "y.parquet", "x.parquet"
    y.to_csv(path / "y.csv", **csv)
    x.to_csv(path / "x.csv", **csv)
    return "y.csv", "x.csv"


@pytest.mark.parametrize(
    "kind",
    ["an id beside paths", "ids of rows beside ids of images", "folders on one side", "endings on one side",
     "zeros before the numbers", "image_of_text", "gapkit's own"],
)  # fmt: skip
def test_rows_in_another_order_are_matched_by_whatever_names_the_images(tmp_path, kind):
    files = [tmp_path / name for name in turned(tmp_path, kind)]
    texts, images = import_embeddings(*files, normalise="no").matched()
    assert np.array_equal(texts, X[TURN]) and np.array_equal(images, Y[TURN])


@pytest.mark.parametrize(
    "kind",
    ["files in an index", "files in an index, parquet", "numbers in an index", "numbers in an index, parquet",
     "files, no header", "a name twice", "one file is another", "numbered texts beside an array", "image_ids",
     "names in an archive", "captions with numbers of their own"],
)  # fmt: skip
def test_rows_that_seem_to_be_in_another_order_are_asked_about(tmp_path, kind):
    files = [tmp_path / name for name in turned(tmp_path, kind)]
    with pytest.raises(InputError, match="--image-of-text (1 if rows match all the same|FILE)"):
        import_embeddings(*files, normalise="no")
    texts, images = import_embeddings(*files, normalise="no", image_of_text=1).matched()
    assert np.array_equal(texts, X[TURN]) and np.array_equal(images, Y)


def test_ids_of_rows_that_are_no_images_say_nothing(tmp_path):
    names = [f"d{j}" for j in range(D)]
    y, x = pandas.DataFrame(Y, columns=names), pandas.DataFrame(X[:N], columns=names)
    y.assign(path=FILES).to_csv(tmp_path / "y.csv")
    x.assign(image_id=np.arange(N)[::-1] * 50, caption=CAPTIONS[:N]).to_csv(tmp_path / "x.csv")
    entries = import_embeddings(tmp_path / "y.csv", tmp_path / "x.csv", normalise="no")
    assert entries.image_of_text is None and entries.image_names == tuple(FILES)


def test_commands_go_through_with_several_captions(tmp_path):
    frames(tmp_path)
    out, closed = tmp_path / "out.safetensors", tmp_path / "closed.safetensors"
    for command in (
        ["import", tmp_path / "both.parquet", "--out", out],
        ["measure", out, "--sigma", "0.1", "--intervals"],
        ["close", out, "--components", "3", "--out", closed],
        ["measure", closed],
    ):
        done = CliRunner().invoke(group, [str(word) for word in command])
        assert done.exit_code == 0, done.output
    assert "30 images, 100 texts" in done.output
