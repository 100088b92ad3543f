"""Training a member of the family, with a recorded curve, checkpoints, and exact resumption."""

import functools
import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from gapkit._files import make_folder, write_atomically, write_text
from gapkit.errors import InputError
from gapkit.geometry import gap_vector, relative_variance
from gapkit.miniclip.data import Tokeniser, TrainingData, normalise_pixels
from gapkit.miniclip.family import PREPROCESS_CONFIG, SETTINGS, Setting, build, columns_of_today

LEARNING_RATE = 1.5e-3


def contrastive_loss(
    model, images: torch.Tensor, texts: torch.Tensor, loss: str
) -> tuple[torch.Tensor, float]:
    """OpenCLIP's loss on a batch of unit embeddings, and the batch's image-to-text accuracy."""
    logits = model.logit_scale.exp() * images @ texts.T
    targets = torch.arange(len(images))
    if loss == "sigmoid":
        logits = logits + model.logit_bias
        signs = 2 * torch.eye(len(images)) - 1
        value = -torch.nn.functional.logsigmoid(signs * logits).sum() / len(images)
    else:
        value = sum(torch.nn.functional.cross_entropy(z, targets) for z in (logits, logits.T)) / 2
    return value, float((logits.argmax(1) == targets).float().mean())


def recorded_steps(steps: int) -> list[int]:
    """When the training curve is recorded: densely at first, then every fiftieth step."""
    early = [s for s in (0, 1, 2, 3, 5, 8, 12, 20, 30, 40) if s < steps]
    return sorted({*early, *range(50, steps, 50), steps})


@torch.no_grad()
def measure_held_out(model, images: torch.Tensor, tokens: torch.Tensor, loss: str) -> dict[str, float]:
    """One row of the training curve, measured on the held-out pairs."""
    was_training = model.training
    model.eval()
    x = model.encode_text(tokens, normalize=True)
    y = model.encode_image(images, normalize=True)
    value, accuracy = contrastive_loss(model, y, x, loss)
    logits = (model.logit_scale.exp() * y @ x.T).double()
    # S_i of the derivation, one side of `gapkit.contrastive.doubly_stochastic_defect`: how far the softmax over images,
    # one row for each text, is from summing to one for each image.
    defect = (logits.softmax(0).sum(1) - 1).abs().mean()
    model.train(was_training)
    gap = gap_vector(x, y)
    return {
        "loss": float(value),
        "accuracy": accuracy,
        "gap": float(gap.norm()),
        "variance_along_gap_images": float(relative_variance(y, gap)),
        "variance_along_gap_texts": float(relative_variance(x, gap)),
        "one_sided_defect": float(defect),
        "temperature": float(1 / model.logit_scale.exp()),
    }


def train(
    name: str,
    *,
    seed: int,
    out: str | os.PathLike,
    steps: int | None = None,
    data: TrainingData | None = None,
    checkpoint_every: int = 200,
    progress: Callable[[int, dict], None] | None = None,
) -> Path:
    """Train one member of the family and save it in OpenCLIP's directory format.

    Interrupted runs resume from the last checkpoint and end with the same weights
    as an uninterrupted run on the same machine: a step's data depend on its number alone.

    Parameters
    ----------
    name : key of `SETTINGS`
    seed : int, seed of the initial weights (the data are the same for all seeds)
    out : folder for ``open_clip_config.json``, ``open_clip_model.safetensors`` and ``curve.json``
    steps : int, optional; overrides the setting's
    data : TrainingData, optional; made anew when left out
    checkpoint_every : steps between checkpoints
    progress : called as ``progress(step, row)`` whenever the curve is recorded

    Raises
    ------
    InputError
        If the folder cannot be written to, or holds the checkpoint of another run or a damaged one.
    """
    setting = SETTINGS[name]
    steps = setting.steps if steps is None else steps
    out = Path(out)
    make_folder(out)
    checkpoint, run = out / "checkpoint.pt", {"setting": name, "seed": seed, "steps": steps}
    state = _load_checkpoint(checkpoint, run)
    model = build(setting, seed=seed)
    model.visual.to(memory_format=torch.channels_last)
    tokenise, data = Tokeniser(), data or TrainingData.make()
    held_images = _to_tower(data.held_out_images)
    held_tokens = tokenise(data.held_out_captions)

    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    scale = [p for name, p in trained.items() if name in ("logit_scale", "logit_bias")]
    matrices = [p for p in trained.values() if p.ndim >= 2]
    vectors = [p for name, p in trained.items() if p.ndim < 2 and not name.startswith("logit_")]
    own_rate = {"lr": setting.scale_rate * LEARNING_RATE}
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors}, {"params": scale} | own_rate]
    optimiser = torch.optim.AdamW(groups, LEARNING_RATE, (0.9, 0.98), weight_decay=0.0, fused=True)
    warmup = 60

    def share_of_rate(step: int) -> float:
        return min((step + 1) / warmup, 0.5 * (1 + math.cos(math.pi * min(step / max(steps, 1), 1.0))))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, share_of_rate)

    parts = {"model": model, "optimiser": optimiser, "schedule": schedule}
    curve, start = [], 0
    if state is not None:
        for part in parts:
            parts[part].load_state_dict(state[part])
        curve, start = [columns_of_today(row) for row in state["curve"]], state["step"]

    record = set(recorded_steps(steps))
    model.train()
    for step in range(start, steps + 1):
        if step in record and not (curve and curve[-1]["step"] >= step):
            curve.append({"step": step, **measure_held_out(model, held_images, held_tokens, setting.loss)})
            if progress:
                progress(step, curve[-1])
        if step == steps:
            break
        if step and step % checkpoint_every == 0 and step != start:
            reached = {part: parts[part].state_dict() for part in parts}
            reached |= {"run": run, "curve": curve, "step": step}
            write_atomically(checkpoint, functools.partial(torch.save, reached))
        images, captions = data.batch(step, few_wordings=setting.few_wordings)
        y = model.encode_image(_to_tower(images), normalize=True)
        x = model.encode_text(tokenise(captions), normalize=True)
        loss, _ = contrastive_loss(model, y, x, setting.loss)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(matrices + vectors, 1.0)
        optimiser.step()
        schedule.step()
    save(model.eval(), out, setting=setting, curve={**run, "torch": torch.__version__, "rows": curve})
    checkpoint.unlink(missing_ok=True)
    return out


def _to_tower(images: np.ndarray) -> torch.Tensor:
    return normalise_pixels(images).contiguous(memory_format=torch.channels_last)


def save(model, out: Path, *, setting: Setting, curve: dict) -> None:
    """Write weights (half precision), OpenCLIP's configuration and the training curve into ``out``."""
    from safetensors.torch import save_file

    halved = {key: z.half() if z.is_floating_point() else z for key, z in model.state_dict().items()}
    weights = {key: value.contiguous() for key, value in halved.items()}
    config = {"model_cfg": setting.config, "preprocess_cfg": PREPROCESS_CONFIG}
    if getattr(model, "logit_bias", None) is not None:
        config["model_cfg"] |= {"init_logit_bias": float(model.logit_bias.detach())}
    write_atomically(out / "open_clip_model.safetensors", lambda path: save_file(weights, path))
    write_text(out / "open_clip_config.json", json.dumps(config, indent=1) + "\n")
    write_text(out / "curve.json", json.dumps(curve, indent=1) + "\n")


def _load_checkpoint(path: Path, run: dict) -> dict | None:
    """What an interrupted run left, if it was this very run; None if there is nothing."""
    if not path.exists():
        return None
    remedy = f"delete {path} to begin anew, or choose another folder"
    try:
        state = torch.load(path, weights_only=True)
        interrupted = state["run"]
    except Exception as fault:  # torch, zipfile, pickle and struct raise a dozen unrelated kinds
        raise InputError(f"{path} is damaged or not a checkpoint of gapkit; {remedy}") from fault
    if interrupted != run:
        its, wanted = (", ".join(f"{k} {v}" for k, v in which.items()) for which in (interrupted, run))
        raise InputError(f"{path} belongs to another run ({its}; asked for is {wanted}); {remedy}")
    return state
