"""`Model`: what embeds, with all that its embeddings depend on; and its tokeniser, of which a stranger may have written the
configuration.

OpenCLIP hands ``text_cfg.tokenizer_kwargs`` to the transformers package as they are. One of that
package's options runs Python files out of the model's own folder, so what is not on a short list of
harmless options is refused here, and nobody is ever asked on the terminal whether such a file may run.
"""

import copy
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from gapkit._arrays import off_mps
from gapkit._openclip import open_clip, transformers_for
from gapkit._options import one_line
from gapkit.encoders.hub import hub_answers
from gapkit.errors import InputError

MOST_TEXT = 10_000
"""Characters of a text; models read some hundred."""
_WORD = re.compile("[A-Za-z]{1000}")
OPTIONS = {"clean": str, "strip_sep_token": bool, "language": str, "reduction_mask": str}
"""What a configuration may say about its tokeniser, and of which kind it is."""


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

    def __repr__(self) -> str:
        return f"Model({self.name}, {self.parameters / 1e6:.1f} million parameters, on {self.device})"

    @property
    def parameters(self) -> int:
        """How many numbers the model has learned."""
        return sum(p.numel() for p in self.module.parameters())

    def weights_sha256(self) -> str:
        """A hash of every weight, its name and dtype, wherever they came from.

        Taken anew each time: a change through ``weight.data`` or a numpy view leaves no trace to know it by.
        """
        digest = hashlib.sha256()
        for name, tensor in self.module.state_dict().items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    @torch.inference_mode()
    def encode_images(self, images: Sequence) -> torch.Tensor:
        """Unit embeddings of PIL images: (n, d) float32."""
        return self.encode_pixels(torch.stack([self.preprocess(image) for image in images]))

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


def tokeniser(text: dict, name: str, *, folder: Path | None = None) -> Callable:
    """OpenCLIP's tokeniser for the ``text_cfg`` of a configuration; no code of the model's own runs.

    Parameters
    ----------
    text : the configuration's ``text_cfg``
    name : how messages call the model
    folder : where the files of a tokeniser lie, if the whole model is a folder; else they are the hub's

    Raises
    ------
    InputError
        If it has an option that is not in `OPTIONS`, or its files cannot be had.
    """
    open_clip()  # before any module of its own
    options, length = dict(check_options(text, name)), text.get("context_length", 77)
    wanted = text.get("hf_tokenizer_name")
    if not wanted:
        return simple_tokeniser(length, **options)
    from open_clip.tokenizer import HFTokenizer

    try:
        with transformers_for(text):
            here = folder is not None or not hub_answers()  # else the client would try for half a minute
            options |= {"context_length": length, "tokenizer_mode": text.get("tokenizer_mode")}
            source = str(folder or wanted)
            return HFTokenizer(source, trust_remote_code=False, local_files_only=here, **options)
    except OSError as fault:
        reason = f"the files of its tokeniser are not in {folder}; copy them there too"
        if folder is None:
            what = f"its tokeniser {wanted} is not in the cache and cannot be downloaded"
            reason = f"{what}. Connect to the network once and run the same again"
        raise InputError(f"cannot load {name}: {reason}") from fault


def check_texts(texts: Sequence[str]) -> None:
    """Raise where a text is no Unicode, or so long that a tokeniser would work on it for minutes.

    Lone surrogates, from file names that are not in UTF-8 or from JSON, cannot be written to a file. The time that
    byte-pair encoding takes grows with the square of a word's length.

    >>> check_texts(["a dog", "a" * 10**7])
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: texts must have at most 10,000 characters, and no word of 1,000 letters; text 1, 'aaaaaaaaaaaa...aaaaaaaaaaaaa', has 10,000,000; shorten it
    """
    for row, text in enumerate(texts):
        if len(text) > MOST_TEXT or _WORD.search(text):
            what = f"texts must have at most {MOST_TEXT:,} characters, and no word of 1,000 letters"
            raise InputError(f"{what}; text {row}, {one_line(text)}, has {len(text):,}; shorten it")
        try:
            text.encode()
        except UnicodeEncodeError as fault:
            raise InputError(f"texts must be valid Unicode; text {row}, {one_line(text)}, is not") from fault


def cut_texts(tokenise: Callable, texts: Sequence[str]) -> list[int]:
    """Rows of the texts that have more tokens than the model reads: the rest of them is cut off."""
    length = getattr(tokenise, "context_length", None)
    inner = getattr(tokenise, "tokenizer", None)
    if length is None:
        return []
    if inner is not None:  # of the transformers package; it counts its own marks of beginning and end
        cleaned = [tokenise.clean_fn(text) for text in texts]
        counts = [len(ids) for ids in inner(cleaned, truncation=False, verbose=False)["input_ids"]]
    else:
        counts = [len(tokenise.encode(text)) + 2 for text in texts]  # and the marks of beginning and end
    return [row for row, count in enumerate(counts) if count > length]


def simple_tokeniser(context_length: int, **options: object) -> Callable:
    """OpenCLIP's own tokeniser, for texts of one length.

    OpenCLIP makes one when it is imported. A copy with another length shares its vocabulary, which takes 25 MB
    and a moment to read; with ``options`` it is another one.
    """
    library = open_clip()
    shared = getattr(library.tokenizer, "_tokenizer", None)
    if options or not isinstance(shared, library.SimpleTokenizer):
        return library.SimpleTokenizer(context_length=context_length, **options)
    made = copy.copy(shared)
    made.context_length = context_length
    return made


def check_options(text: dict, name: str) -> dict:
    """The ``tokenizer_kwargs`` of a ``text_cfg``, if all of them are harmless."""
    options = text.get("tokenizer_kwargs") or {}
    wanted = text.get("hf_tokenizer_name") or ""
    if not isinstance(options, dict) or not isinstance(wanted, str):
        raise InputError(f"cannot load {name}: its configuration says nothing usable about the tokeniser")
    for key, value in options.items():
        if not isinstance(value, OPTIONS.get(key, ())):
            option = json.dumps({key: value})[:80]
            raise InputError(f"cannot load {name}: gapkit does not pass on its tokeniser's option {option}")
    return options
