"""A closer inside a model: any code that uses an OpenCLIP model then works with closed embeddings."""

from typing import Any

import torch
from torch import Tensor, nn

from gapkit._options import check_choice
from gapkit.closing.base import Closer
from gapkit.errors import InputError


class ClosedModel(nn.Module):
    """An OpenCLIP model whose ``encode_image`` and ``encode_text`` give closed embeddings; see `close_model`.

    Everything else (``logit_scale``, ``visual``, ``state_dict`` …) is the wrapped model's.
    """

    def __init__(self, model, closer: Closer, gallery: str):
        super().__init__()
        self.model = model
        self.closer = closer
        self._sides = {m: "gallery" if m == gallery else "queries" for m in ("image", "text")}

    def encode_image(self, image, normalize: bool = False) -> Tensor:
        """Closed image embeddings; ``normalize`` as in `close_model`."""
        return self._closed(self.model.encode_image(image), "image", normalize)

    def encode_text(self, text, normalize: bool = False) -> Tensor:
        """Closed text embeddings; ``normalize`` as in `close_model`."""
        return self._closed(self.model.encode_text(text), "text", normalize)

    def get_logits(self, image, text) -> tuple[Tensor, Tensor]:
        """Logits of images against texts, and of texts against images, from closed embeddings."""
        images, texts = self.encode_image(image, normalize=True), self.encode_text(text, normalize=True)
        logits = self.model.logit_scale.exp() * images @ texts.T
        if getattr(self.model, "logit_bias", None) is not None:
            logits = logits + self.model.logit_bias
        return logits, logits.T

    def forward(self, *inputs, **options):
        """The wrapped model's output, a tuple or a dict, with closed features in it."""
        output = self.model(*inputs, **options)
        if isinstance(output, dict):
            names = {f"{m}_features": m for m in self._sides}
            return {k: self._side_of(v, names[k]) if k in names else v for k, v in output.items()}
        first, second, *rest = output
        return (self._side_of(first, "image"), self._side_of(second, "text"), *rest)

    def _side_of(self, features: Tensor | None, modality: str) -> Tensor | None:
        return None if features is None else self.closer.move(self._fitting(features), self._sides[modality])

    def _fitting(self, features: Tensor) -> Tensor:
        if (got := features.shape[-1]) != (d := self.closer.n_features_in_):
            raise InputError(f"the closer was fitted in {d} dimensions; this model's embeddings have {got}")
        return features

    def _closed(self, features: Tensor, modality: str, normalize: bool) -> Tensor:
        lengths = torch.linalg.vector_norm(self._fitting(features), dim=-1, keepdim=True)
        closed = self.closer.move(features / lengths, self._sides[modality])
        return closed if normalize else closed * lengths

    def state_dict(self, *args, **options):
        """The wrapped model's, so that checkpoints stay exchangeable."""
        return self.model.state_dict(*args, **options)

    def load_state_dict(self, *args, **options):
        """Into the wrapped model."""
        return self.model.load_state_dict(*args, **options)

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "model":
                raise
            return getattr(super().__getattr__("model"), name)


def close_model(model: Any, closer: Any, *, gallery: str = "text") -> ClosedModel:
    """Wrap an OpenCLIP model so that its encoders give closed embeddings.

    The closer must have been fitted on unit embeddings of that model. Its map is applied to the unit embedding:

    - ``normalize=True``: ``closer(z / ‖z‖)``, and nothing after it. These rows need not have length 1:
      the guarantee is for the closed embeddings as they are, and code that divides them by their length
      again (as a cosine does) gives it up.
    - ``normalize=False``: the same, times the length ``‖z‖`` that the encoder gave, so that dividing by
      the encoder's lengths afterwards gives the above.

    The wrapped model is not changed. ``forward`` and ``get_logits`` use closed embeddings too, gradients flow.

    Parameters
    ----------
    model : a module with ``encode_image(image)`` and ``encode_text(text)``, such as OpenCLIP's, or what
        `gapkit.load_model` gives
    closer : Closer, fitted
    gallery : ``"text"`` or ``"image"``, the modality that was the closer's gallery ``X``

    Returns
    -------
    ClosedModel

    Raises
    ------
    InputError
        If the closer is not fitted, or the model has no such encoders.

    Examples
    --------
    >>> from gapkit.closing import MeanShift
    >>> class Tiny(nn.Module):
    ...     def encode_image(self, image, normalize=False):
    ...         return image
    ...     encode_text = encode_image
    >>> closer = MeanShift().fit([[1.0, 0.0]], [[0.0, 1.0]])
    >>> close_model(Tiny(), closer).encode_text(torch.tensor([[5.0, 0.0]]), normalize=True)
    tensor([[0., 1.]])
    """
    check_choice(gallery, "gallery", ("text", "image"))
    if not isinstance(closer, Closer):
        raise InputError(f"closer must be one of gapkit.closing's; got {type(closer).__name__}")
    closer._check_fitted()
    if not hasattr(model, "encode_image"):
        model = getattr(model, "module", model)  # what gapkit.load_model gives holds the OpenCLIP model
    for name in ("encode_image", "encode_text"):
        if not callable(getattr(model, name, None)):
            raise InputError(f"model must have {name}, as OpenCLIP's models have; got {type(model).__name__}")
    return ClosedModel(model, closer, gallery)
