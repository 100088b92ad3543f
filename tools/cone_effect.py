"""The cone effect on OpenCLIP's architectures with random weights: writes data/cone_effect.csv.

``python tools/cone_effect.py``  (about ten minutes on one core, 2 GB of memory, no download)

Every architecture is initialised from three seeds and never trained. Images and captions are gapkit's
two-object scenes. The defaults make the shipped table; ``--architectures`` takes any other names of
OpenCLIP, SigLIP's too. Its own tokeniser would have to be downloaded; with random weights any fixed
assignment of numbers to words is as good, so OpenCLIP's standard one is used throughout, modulo
the size of the vocabulary.
"""

import argparse
import gc
from pathlib import Path

import pandas as pd
import torch

from gapkit._openclip import ensure_torchvision
from gapkit.datasets import load_dataset
from gapkit.geometry import measure

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURES = ("ViT-B-32", "ViT-B-16", "RN50")
SEEDS = (0, 1, 2)
PAIRS = 128
BATCH = 16


@torch.inference_mode()
def embed(architecture: str, seed: int) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Captions and images of the first scenes through one untrained model, and its size in millions."""
    ensure_torchvision()
    import open_clip

    torch.manual_seed(seed)
    model, _, preprocess = open_clip.create_model_and_transforms(
        architecture, pretrained=None, pretrained_text=False
    )
    model.eval()
    config = open_clip.get_model_config(architecture)["text_cfg"]
    tokenise = open_clip.SimpleTokenizer(context_length=config["context_length"])
    scenes = load_dataset("scenes-pairs")
    texts, images = [], []
    for start in range(0, PAIRS, BATCH):
        rows = range(start, start + BATCH)
        tokens = tokenise([scenes.prompts[row][0] for row in rows]) % config["vocab_size"]
        texts.append(model.encode_text(tokens, normalize=True))
        images.append(
            model.encode_image(torch.stack([preprocess(scenes.images[row]) for row in rows]), normalize=True)
        )
    size = sum(p.numel() for p in model.parameters()) / 1e6
    return torch.cat(texts).double(), torch.cat(images).double(), size


def row(architecture: str, seed: int) -> dict:
    """One line of the table."""
    texts, images, size = embed(architecture, seed)
    values = measure(texts, images)
    return {
        "architecture": architecture,
        "seed": seed,
        "parameters_millions": round(size, 1),
        "dimension": texts.shape[1],
        "pairs": len(texts),
        "gap_norm": round(values["l2m"], 4),
        "mean_cosine_texts": round(values["mean_cosine_gallery"], 4),
        "mean_cosine_images": round(values["mean_cosine_queries"], 4),
        "matched_cosine": round(values["matched_cosine"], 4),
        "relative_variance_texts": round(values["relative_variance_gallery"], 3),
        "relative_variance_images": round(values["relative_variance_queries"], 3),
    }


def main() -> None:
    """Measure every architecture and seed, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "cone_effect.csv")
    parser.add_argument("--architectures", nargs="+", default=ARCHITECTURES)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for architecture in options.architectures:
        for seed in SEEDS:
            rows.append(row(architecture, seed))
            print(rows[-1], flush=True)
            gc.collect()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
