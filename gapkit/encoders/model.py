"""`Model`: what embeds, with all that its embeddings depend on."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from gapkit._arrays import off_mps
from gapkit.encoders.tokenizers import check_texts


@dataclass(frozen=True, eq=False)
class Model:
    """A model that is ready to embed.

    Attributes
    ----------
    name : as it was asked for
    module : OpenCLIP's model, in evaluation mode, in float32
    preprocess : PIL image -> (3, h, w) float32
    tokenise : list of texts -> (n, context length) int
    device : where the module is
    config : architecture and preprocessing, as plain values
    weights_file : ``name`` and ``sha256`` of the file its weights came from; empty where there was none
    """

    name: str
    module: torch.nn.Module
    preprocess: Callable
    tokenise: Callable
    device: torch.device
    config: dict = field(default_factory=dict)
    weights_file: dict = field(default_factory=dict)
    _hashed: dict = field(default_factory=dict, init=False)

    def __repr__(self) -> str:
        return f"Model({self.name}, {self.parameters / 1e6:.1f} million parameters, on {self.device})"

    @property
    def parameters(self) -> int:
        """How many numbers the model has learned."""
        return sum(p.numel() for p in self.module.parameters())

    def weights_sha256(self) -> str:
        """A hash of every weight, its name and dtype, wherever they came from; kept until one changes."""
        state = tuple((t.data_ptr(), t._version) for t in self.module.state_dict().values())
        if self._hashed.get("state") != state:
            self._hashed.update(state=state, sha256=self._hash())
        return self._hashed["sha256"]

    def _hash(self) -> str:
        digest = hashlib.sha256()
        for name, tensor in self.module.state_dict().items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    @torch.inference_mode()
    def encode_images(self, images: Sequence) -> torch.Tensor:
        """Unit embeddings of PIL images: (n, d) float32."""
        pixels = torch.stack([self.preprocess(image) for image in images])
        return self.encode_pixels(pixels)

    @torch.inference_mode()
    def encode_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """Unit embeddings of preprocessed images (n, 3, h, w): (n, d) float32 on the CPU."""
        return _unit(self.module.encode_image(pixels.to(self.device, non_blocking=True)))

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit embeddings of texts: (n, d) float32 on the CPU."""
        check_texts(texts := list(texts))
        return _unit(self.module.encode_text(self.tokenise(texts).to(self.device)))


def _unit(embeddings: torch.Tensor) -> torch.Tensor:
    """Rows of length 1, normalised in float64: float32 would leave 1 ± 1e-7."""
    wide = off_mps(embeddings).double()
    return (wide / torch.linalg.vector_norm(wide, dim=-1, keepdim=True)).float().cpu()
