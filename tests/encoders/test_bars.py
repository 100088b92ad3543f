"""What the machinery may cost: no work beyond a bare OpenCLIP loop's, and little memory."""

import dataclasses
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch

from gapkit.datasets import Dataset
from gapkit.datasets.images import ArrayImages
from gapkit.encoders import load_model
from gapkit.encoders.embedding import embed_to_file

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)


def noise(count, size, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)
    return Dataset(name=f"noise{seed}", images=ArrayImages(pixels), prompts=["a", "b"], task="zero-shot",
                   labels=np.zeros(count, int))  # fmt: skip


class Noted(ArrayImages):
    """Images that note how often each is read."""

    def __getitem__(self, row):
        self.__dict__.setdefault("noted", Counter())[row] += 1
        return super().__getitem__(row)


def test_more_work_is_done_than_in_a_bare_loop_over_the_same_batches(monkeypatch):
    """How fast that is beside a bare loop is a row of `make bench`."""
    model, calls, pixels = load_model("miniclip-random"), [], np.zeros((100, 64, 64, 3), np.uint8)
    for name in ("encode_image", "encode_text"):
        inner = getattr(model.module, name)
        monkeypatch.setattr(model.module, name, lambda x, *a, f=inner, n=name, **o: (calls.append((n, len(x))), f(x, *a, **o))[1])  # fmt: skip
    images = Noted(pixels)
    embed_to_file(model, dataclasses.replace(noise(100, 64), images=images), batch_size=32)
    assert sorted(calls) == [("encode_image", 4), *[("encode_image", 32)] * 3, ("encode_text", 2)]
    assert images.noted == dict.fromkeys(range(100), 1)


MEMORY = """
import sys
import numpy as np, torch
from PIL import Image
from gapkit.datasets import Dataset
from gapkit.encoders import load_model
from gapkit.encoders.embedding import embed_to_file

torch.set_num_threads(1)

class Tiny:
    def __init__(self, count): self.names = tuple(map(str, range(count)))
    def __len__(self): return len(self.names)
    def __getitem__(self, row): return Image.new("RGB", (8, 8), (row % 256, row // 256 % 256, 7))
    def fingerprint(self): return str(len(self))

count = int(sys.argv[2])
data = Dataset(name="many", images=Tiny(count), prompts=["a", "b"], task="zero-shot",
               labels=np.zeros(count, dtype=int))
embed_to_file(load_model("local-dir:" + sys.argv[1]), data, batch_size=256, out=sys.argv[3])
with open("/proc/self/status") as status:  # getrusage would count the parent's memory before exec too
    print(next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.timeout(1200)
def test_memory_grows_by_pixels_or_embeddings_and_not_by_names_alone(tmp_path):
    """An image's pixels, as the model takes them, are 12 kB: kept, they would be 230 MiB of twenty thousand."""
    from tests.encoders.tiny import write_tiny

    folder = write_tiny(tmp_path / "tiny")
    environment = os.environ | {"GAPKIT_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    few, many = 1_000, 20_000
    peaks = []
    for count in (few, many):
        command = [sys.executable, "-c", MEMORY, str(folder), str(count), str(tmp_path / "out.safetensors")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1100)
        assert done.returncode == 0, done.stderr[-1500:]
        peaks.append(float(done.stdout.split()[-1]))
    growth = (peaks[1] - peaks[0]) / (many - few)
    print("peak MiB for 1,000 and 20,000 images:", np.round(peaks))
    assert peaks[1] - peaks[0] < 60, "what grows is names and labels, not pixels or embeddings"
    assert peaks[0] + 100_000 * growth < 1000, "a hundred thousand images take a gigabyte"


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "dim"), [("ViT-B-32", 512), ("RN50", 1024)])
def test_real_architectures_pass_through_the_whole_pipeline(name, dim, tmp_path):
    from gapkit.embeddings import answer, load_embeddings

    path = embed_to_file(f"{name}/random@1", noise(6, 48), batch_size=4, out=tmp_path / "e.safetensors")
    entries = load_embeddings(path)
    assert entries.images.shape == (6, dim)
    assert np.abs(np.linalg.norm(entries.images.astype(float), axis=1) - 1).max() < 1e-7
    assert len(answer(entries)[0]) == 6
    again = load_model(f"{name}/random@1").encode_texts(["a", "b"])
    assert np.allclose(entries.texts, again, atol=1e-6)


SIGLIP = """
import json, sys
import numpy as np
from gapkit.encoders import embed, load_model
from tests.encoders.test_bars import noise
entries = embed(load_model("ViT-B-16-SigLIP/random"), noise(4, 48), batch_size=2)
print(json.dumps([list(entries.images.shape), float(np.abs(np.linalg.norm(entries.texts, axis=1) - 1).max())]))
"""


@pytest.mark.network
@pytest.mark.timeout(900)
def test_siglip_takes_its_tokenizer_from_the_hub(tmp_path):
    pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    import json

    from tests.hub_server import Hub

    vocabulary = {"<pad>": 0, "</s>": 1, "<unk>": 2, "a": 3, "b": 4}
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "eos_token": "</s>",
              "unk_token": "<unk>"}  # fmt: skip
    with Hub() as hub:
        hub.files["timm/ViT-B-16-SigLIP"] = {
            "tokenizer.json": words.to_str().encode(),
            "tokenizer_config.json": json.dumps(config).encode(),
            "config.json": b"{}",
        }
        environment = os.environ | {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home")}
        command = [sys.executable, "-c", SIGLIP]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=800)
        assert done.returncode == 0, done.stderr[-1500:]
    shape, deviation = json.loads(done.stdout.splitlines()[-1])
    assert shape == [4, 768]
    assert deviation < 1e-6
