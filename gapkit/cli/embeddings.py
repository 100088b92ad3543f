"""Where embeddings come from: ``gapkit embed``, ``gapkit import`` and ``gapkit fetch``."""

import click

from gapkit.cli.main import A_COUNT, A_NUMBER, A_PATH, cluster_option, print_table, say
from gapkit.errors import InputError

_DATASET_OPTIONS = (
    click.option("--root", type=A_PATH, help="Folder of the dataset's images or archive."),
    click.option("--annotations", type=A_PATH, help="Annotation file: JSON (coco, aokvqa) or CSV."),
    click.option("--encoding", help="Encoding of a CSV that is not in UTF-8, such as cp1252."),
    click.option("--quoting", type=click.Choice(["csv", "backslash", "none"]),
                 help="How a CSV uses quotation marks, where that is ambiguous."),
    click.option("--image-column", help="Column of a CSV that holds the images' paths."),
    click.option("--caption-column", help="Column of a CSV that holds the captions."),
    click.option("--captions", type=click.Choice(["all", "first", "longest"]),
                 help="Of several captions (coco, csv): all, any of which is right [default], or one each."),
    click.option("--split", help="train or test, where the dataset has both."),
    click.option("--template", help="Prompt template, or: single, ensemble."),
    click.option("--limit", type=A_COUNT, help="Only the first N entries (coco, aokvqa, csv)."),
    click.option("--nested", is_flag=True, help="Subfolders are classes even if called train, val (folder)."),
    click.option("--follow-links", is_flag=True, help="Read what links to outside of --root (folder)."),
    click.option("--download", is_flag=True, help="Download the dataset if it is missing (CIFAR)."),
    click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps, or auto."),
    click.option("--precision", default="auto", show_default=True, help="float32, float16, bfloat16, auto."),
    click.option("--batch-size", type=A_COUNT, default=64, show_default=True, help="Images in a batch."),
    click.option("--workers", type=A_NUMBER, default=0, show_default=True,
                 help="Processes that read images."),
    click.option("--on-long-text", type=click.Choice(["truncate", "raise"]), default="truncate",
                 show_default=True, help="What to do with texts that are too long for the model."),
    click.option("--skip-unreadable", is_flag=True, help="Leave out and list images that cannot be read."),
)  # fmt: skip
_HOW = ("device", "precision", "batch_size", "workers", "on_long_text", "skip_unreadable")


def embedding_options(command):
    """Give a command the options of a dataset and of embedding it; it receives them as keyword arguments."""
    for option in reversed(_DATASET_OPTIONS):
        command = option(command)
    return command


def split_options(options: dict) -> tuple[str, dict, dict]:
    """What `embedding_options` gave, as the device, the options of `gapkit.embed`, and those of the dataset."""
    how = {name: options[name] for name in _HOW}
    device, skip = how.pop("device"), how.pop("skip_unreadable")
    data = {name: value for name, value in options.items() if name not in _HOW and value not in (None, False)}
    return device, {**how, "on_error": "skip" if skip else "raise"}, data


@click.command("embed")
@click.argument("model")
@click.argument("dataset")
@click.option("--out", type=A_PATH, help="File to write [default: only the cache].")
@embedding_options
@click.option("--dtype", type=click.Choice(["float32", "float16"]), default="float32", show_default=True,
              help="How --out stores the matrices.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="No progress bar.")
@cluster_option
def embed(model, dataset, out, dtype, quiet, cluster, **options):
    """Embed DATASET with MODEL; resumes if interrupted.

    MODEL is a preset or shipped model (see `gapkit models`), ARCHITECTURE/WEIGHTS as OpenCLIP names them,
    hf-hub:OWNER/REPOSITORY or local-dir:PATH. DATASET is digits10, scenes100, scenes-pairs, scenes-vqa,
    cifar10, cifar100 (and both with -rephrased), coco, aokvqa, folder (one subfolder for each class) or csv (paths and captions).
    """
    from gapkit import engine
    from gapkit.datasets import load_dataset
    from gapkit.embeddings import load_embeddings
    from gapkit.encoders import load_model
    from gapkit.encoders.embedding import embed_to_file

    device, how, about = split_options(options)
    data = load_dataset(dataset, **about)
    ready = load_model(model, device="cpu" if cluster else device)
    say(f"{ready}; {data}")
    with engine.connect(cluster, say) as client:
        how |= {"cluster": client, "device": device}
        path = embed_to_file(ready, data, out=out, dtype=dtype, progress=not quiet, **how)
    entries = load_embeddings(path, memory_map=True)
    say(f"{entries} in {entries.metadata['precision']} on {ready.device}")
    for name, why in entries.metadata["skipped"]:
        say(f"left out {name}: {why}")
    click.echo(path)


@click.command("import")
@click.argument("images", required=False, type=A_PATH)
@click.argument("texts", required=False, type=A_PATH)
@click.option("--out", required=True, type=A_PATH, help="File to write (.safetensors).")
@click.option("--labels", type=A_PATH,
              help="Row of each image's text, one a line, or .npy; found inside an archive.")  # fmt: skip
@click.option("--task", type=click.Choice(["pairs", "zero-shot"]), help="[default: zero-shot with labels]")
@click.option("--normalise", type=click.Choice(["auto", "yes", "no"]), default="auto", show_default=True,
              help="Divide rows by their length; auto: only if it is 1 but for rounding.")  # fmt: skip
@click.option("--image-key", help="The images' matrix in an archive, or column of a table (emb for emb_1 …).")
@click.option("--text-key", help="The texts' matrix, likewise.")
@click.option("--header", default="auto", show_default=True, metavar="yes|no|LINE",
              help="For text tables: whether the first line holds names, or which line does.")  # fmt: skip
@click.option("--separator", help="For text tables: a character, or comma, semicolon, tab, pipe, space.")
@click.option("--decimal", type=click.Choice([".", ","]), help="For text tables: the decimal mark.")
@click.option("--columns", metavar="FIRST..LAST",
              help="Columns of coordinates, by name or by place from 1; also A,B,C and emb*.")  # fmt: skip
@click.option("--image-of-text", metavar="N|FILE",
              help="Where images have several captions: how many each has, one image's after the other's, "
              "or the row of each text's image.")  # fmt: skip
@click.option("--captions", type=click.Choice(["all", "first"]), default="all", show_default=True,
              help="Which of an image's captions to keep.")  # fmt: skip
@click.option("--gram", type=A_PATH, help="A matrix of all cosines instead, images first (CSV, npy).")
@click.option("--images", "count", type=A_COUNT, help="With --gram: how many rows are images.")
@click.option("--dimension", type=A_COUNT, help="With --gram: dimension of the model's embeddings.")
@click.option("--model", help="The model that made them; stored in the file.")
@click.option("--dataset", help="The dataset they come from; stored in the file.")
def import_files(images, texts, out, gram, count, dimension, model, dataset, **options):
    """Convert IMAGES (and TEXTS) from .npy, .npz, .safetensors, .parquet, .csv, .tsv or .txt.

    One file is enough if it holds both sides: two matrices, or an array of shape (2, n, d) with the images
    first. In a table the coordinates are a column of vectors ("[0.1, 0.2]" or lists), numbered columns (d0 … d511,
    emb_1 …), or all columns of a file of numbers only; anything else needs --columns. What was used and what was left out
    is said, and kept in the file. Where a table can be read in two ways, the message names the option that says which.

    With --gram no embeddings are needed: a published matrix of cosines, all rows against all rows, holds them up to a
    rotation.
    """
    from gapkit._files import check_target
    from gapkit.embeddings import import_embeddings
    from gapkit.embeddings.convert import import_gram
    from gapkit.embeddings.files import check_name

    check_target(out, images, texts, gram, options["labels"], options["image_of_text"])
    check_name(out)
    known = {name: value for name, value in {"model": model, "dataset": dataset}.items() if value}
    if gram is None:
        if images is None:
            raise InputError("name a file to import, or a matrix of cosines with --gram FILE")
        if count is not None or dimension is not None:
            raise InputError("--images and --dimension describe a matrix of cosines; they need --gram FILE")
        entries = import_embeddings(images, texts, metadata=known, **options)
    else:
        if images is not None or count is None or dimension is None:
            raise InputError("--gram FILE takes --images N (rows of images), --dimension D, no other file")
        for name in ("image_key", "text_key", "separator", "decimal", "columns", "image_of_text", "header"):
            if options[name] not in (None, "auto"):
                raise InputError(f"--gram takes no --{name.replace('_', '-')}")
        labels, task = options["labels"], options["task"]
        shape = {"images": count, "dimension": dimension}
        entries = import_gram(gram, **shape, metadata=known, labels=labels, task=task)
        for line in _about_gram(entries.metadata["gram"]):
            say(line)
    for line in (*entries.metadata.get("columns", []), entries.metadata.get("lengths", "")):
        say(line) if line else None
    say(f"{entries}, rows {'of length 1' if entries.normalised else 'unchanged'}")
    click.echo(entries.save(out))


def _about_gram(about: dict) -> list[str]:
    lines = [f"kept: {about['kept']}", f"rank {about['rank']}"]
    if about["clipped"]:
        least = f"the least {about['least_eigenvalue']:.2g} (rounding explains {-about['rounding']:.2g})"
        lines.append(f"clipped: {about['clipped']} negative eigenvalues, {least}")
    return lines


@click.command("fetch")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Every published set.")
@click.option("--from", "source", type=A_PATH, metavar="FILE|FOLDER",
              help="Use local copies, known by their content, instead of the network.")  # fmt: skip
@click.option("--shipped", is_flag=True, help="The data shipped with gapkit (80 MB), for outside a clone.")
def fetch(names, everything, source, shipped):
    """Put published embeddings into the cache; without a name, list them.

    These are embeddings of real models that others have published under an open licence, each identified by the sha256 of
    its file. `--from` alone takes all it finds.
    """
    if shipped:
        if names or everything or source:
            raise InputError("--shipped takes no names, no --all and no --from; leave them out")
        _fetch_shipped()
        return
    from gapkit.embeddings import fetch_embeddings, published_sets
    from gapkit.embeddings.published import differing, find_published

    register = published_sets()
    if everything and names:
        raise InputError("--all takes every set; leave out --all, or the names")
    faults: list[str] = []
    if not names and not everything:
        if source is None:
            _list(register.values())
            return
        names = list(find_published(source))
        faults += differing(source, [entry for name, entry in register.items() if name not in names]).values()
        if not names and not faults:
            raise InputError(f"nothing in {source} is a published set; what is known says: gapkit fetch")
    for name in register if everything else names:
        try:
            path = fetch_embeddings(name, source=source)
        except InputError as fault:
            faults.append(str(fault))
            continue
        say(f"{register[name].load()}: gapkit.load_embeddings({name!r})")
        click.echo(path)
    if faults:
        rest = f"; and {len(faults) - 1} more: {'; '.join(faults[1:])}" if len(faults) > 1 else ""
        raise InputError(faults[0] + rest)


def _list(entries) -> None:
    columns = ("name", "what it is", "MB", "licence", "in the cache")
    shown = [(name, {"overflow": "fold", "no_wrap": name == "name"}) for name in columns]
    rows = (
        (entry.name, entry.about, f"{entry.bytes / 1e6:.1f}", entry.licence, "yes" if entry.cached else "no")
        for entry in entries
    )
    print_table(shown, rows, box=None, header_style="bold", pad_edge=False)
    click.echo("\nDownload with: gapkit fetch NAME…   (or --all; offline: --from FILE or FOLDER)")


def _fetch_shipped() -> None:
    from tqdm import tqdm

    from gapkit._paths import progress_wanted, shipped_file, shipped_folder, shipped_names

    names = shipped_names()
    for name in tqdm(names, desc="shipped data", unit=" files", disable=None if progress_wanted() else True):
        shipped_file(name)
    click.echo(f"{len(names)} files, each with the sha256 of the manifest", err=True)
    click.echo(shipped_folder())
