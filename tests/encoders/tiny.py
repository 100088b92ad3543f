"""A tiny OpenCLIP model in OpenCLIP's own directory format, as bytes and as a folder."""

import functools
import json
from pathlib import Path

import torch

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
CONFIG = {"model_cfg": TINY, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3, "size": [32, 32]}}


@functools.cache
def tiny_files(seed: int = 0) -> dict[str, bytes]:
    """The configuration and the weights."""
    from safetensors.torch import save

    from gapkit._openclip import open_clip

    open_clip()
    from open_clip.model import CLIP

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        weights = {name: tensor.contiguous() for name, tensor in CLIP(**TINY).state_dict().items()}
    return {
        "open_clip_config.json": json.dumps(CONFIG).encode(),
        "open_clip_model.safetensors": save(weights),
    }


def write_tiny(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in tiny_files().items():
        (folder / name).write_bytes(content)
    return folder
