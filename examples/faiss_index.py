"""A closed gap inside a FAISS index: does quantising the gallery cost fewer answers?

    python examples/faiss_index.py                       # 9,900 captions by a shipped mini-CLIP
    python examples/faiss_index.py --model miniclip-few-words --captions 4000
    python examples/faiss_index.py --embeddings my_pairs.safetensors

The gallery (texts) is stored in four FAISS indexes, exact and quantised, once as the model gave it
and once moved by the paper's projected shift; the queries (images) stay as they are. For every index
the table says how often its answers are those of the exact index over the same gallery:

- ``recall@1``: the same nearest neighbour; ``recall@10``: the share of the ten nearest that are found;
- ``kept``: the same nearest neighbour as before anything was moved or quantised. This is what a user notices.

A gallery with more rows than dimensions spans the whole space, then no shift keeps every margin: fewer
principal components are taken, the choice that closes the most of the gap and keeps enough answers.

Needs faiss: pip install faiss-cpu.
"""

import argparse
import itertools

import numpy as np

from gapkit.closing import GapCloser, select_closer
from gapkit.datasets import COLOURS, SHAPES
from gapkit.embeddings import load_embeddings
from gapkit.encoders import load_model
from gapkit.errors import InputError
from gapkit.geometry import l2m

CUT = 10
# Far up, because float32 rounding alone makes a gallery of thousands span every dimension: all its components
# would be spent on that rounding and leave nothing of the gap to close.
SHARES = (0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)


def build_index(kind: str, gallery: np.ndarray):
    """A FAISS index of one kind over the gallery, trained on that gallery, for Euclidean neighbours."""
    import faiss

    d = gallery.shape[1]
    if kind == "flat":
        index = faiss.IndexFlatL2(d)
    elif kind == "scalar 8-bit":
        index = faiss.IndexScalarQuantizer(d, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_L2)
    elif kind == "scalar 4-bit":
        index = faiss.IndexScalarQuantizer(d, faiss.ScalarQuantizer.QT_4bit, faiss.METRIC_L2)
    elif kind.startswith("product"):  # "product 64x8": 64 parts of 8 bits
        parts, bits = (int(number) for number in kind.split()[1].split("x"))
        index = faiss.IndexPQ(d, parts, bits, faiss.METRIC_L2)
        index.pq.cp.seed = 0
        index.pq.cp.min_points_per_centroid = 1  # says nothing of small galleries
    else:
        raise InputError(f"no index {kind!r}")
    gallery = np.ascontiguousarray(gallery, dtype=np.float32)
    index.train(gallery)
    index.add(gallery)
    return index


def search(index, queries: np.ndarray) -> np.ndarray:
    """The positions of the ten nearest gallery rows, (m, 10)."""
    return index.search(np.ascontiguousarray(queries, dtype=np.float32), min(CUT, index.ntotal))[1]


def compare(texts: np.ndarray, images: np.ndarray, closer: GapCloser, kinds: tuple[str, ...]) -> list[dict]:
    """One row for each index, before and after closing, with its recall of the exact answers."""
    galleries = {"untouched": texts, "closed": closer.transform(texts)}
    exact = {name: search(build_index("flat", gallery), images) for name, gallery in galleries.items()}
    rows = []
    for kind, (name, gallery) in itertools.product(kinds, galleries.items()):
        found = search(build_index(kind, gallery), images)
        overlap = [len(np.intersect1d(a, b)) / len(a) for a, b in zip(found, exact[name], strict=True)]
        rows.append(
            {
                "index": kind,
                "gallery": name,
                "recall@1": float((found[:, 0] == exact[name][:, 0]).mean()),
                "recall@10": float(np.mean(overlap)),
                "kept": float((found[:, 0] == exact["untouched"][:, 0]).mean()),
            }
        )
    return rows


def choose_closer(texts: np.ndarray, images: np.ndarray, agreement: float) -> GapCloser:
    """The projected shift that moves farthest among those that keep enough answers."""
    remaining = lambda queries, gallery: np.full(len(queries), -l2m(gallery, queries))  # noqa: E731
    exact = [None] if len(texts) <= texts.shape[1] else []
    grid = {"n_components": [*SHARES, *exact]}
    return select_closer(GapCloser(), texts, images, grid, robustness=remaining, agreement=agreement).closer


def caption_gallery(model: str, count: int) -> np.ndarray:
    """Unit embeddings of captions of two different objects, "a red circle to the left of a blue star"."""
    objects = [f"{colour} {shape}" for shape in SHAPES for colour in COLOURS]
    article = {name: f"{'an' if name[0] in 'aeiou' else 'a'} {name}" for name in objects}
    captions = [f"{article[a]} to the left of {article[b]}" for a, b in itertools.permutations(objects, 2)]
    chosen = np.random.default_rng(0).permutation(len(captions))[:count]
    ready = load_model(model)
    blocks = np.array_split(chosen, max(1, len(chosen) // 256))
    return np.concatenate([ready.encode_texts([captions[i] for i in block]).numpy() for block in blocks])


def main(arguments: list[str] | None = None) -> None:
    """Embed, close, index, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="miniclip-wide", help="a shipped mini-CLIP")
    parser.add_argument("--captions", type=int, default=9900, help="size of the gallery")
    parser.add_argument("--embeddings", help="use these embeddings instead (a name or a file)")
    parser.add_argument(
        "--agreement", type=float, default=0.99, help="least share of answers the shift must keep"
    )
    options = parser.parse_args(arguments)
    if options.embeddings:
        entries = load_embeddings(options.embeddings)
        texts, images = entries.texts, entries.images
    else:
        texts = caption_gallery(options.model, options.captions)
        images = load_embeddings(f"{options.model}/scenes-pairs").images
    closer = choose_closer(texts, images, options.agreement)
    moved = closer.transform(texts)
    print(f"gallery {texts.shape}, {len(images)} queries, gap {l2m(texts, images):.3f}", end=" ")
    print(f"-> {l2m(moved, images):.3f} with {closer.n_components_} of {closer.rank_} components")
    kinds = ("flat", "scalar 8-bit", "scalar 4-bit")
    if len(texts) >= 1000:  # a code book of 256 entries needs some rows to learn from
        kinds += ("product 64x8", "product 32x8")
    print(f"{'index':14s} {'gallery':10s} {'recall@1':>8s} {'recall@10':>9s} {'kept':>6s}")
    for row in compare(texts, images, closer, kinds):
        print("{index:14s} {gallery:10s} {recall@1:8.3f} {recall@10:9.3f} {kept:6.3f}".format(**row))


if __name__ == "__main__":
    main()
