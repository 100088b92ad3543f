"""embed, import, fetch, measure, close, models and info, called as the command line calls them."""

import dataclasses
import hashlib
import json
import pickle

import numpy as np
import pytest
from PIL import Image

from gapkit.cli import main
from gapkit.closing import GapCloser
from gapkit.embeddings import EmbeddingSet, answer, close_set, load_embeddings, published_sets
from gapkit.errors import InputError
from gapkit.robustness import predict_closed
from tests.encoders.tiny import write_tiny


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("gapkit.engine.usable_cores", lambda: 1)  # pytest's process is not to be forked

    def call(*arguments):
        with pytest.raises(SystemExit) as done:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return done.value.code, out, err

    return call


def toy(task="zero-shot", *, dim=40):
    rng = np.random.default_rng(0)
    texts, images = rng.standard_normal((12, dim)), rng.standard_normal((30, dim))
    texts[:, 0] += 9
    fields = {"images": images, "texts": texts, "task": task}
    if task == "zero-shot":
        fields["labels"] = rng.integers(12, size=30)
    elif task == "pairs":
        fields["images"] = images[:12]
    else:
        fields |= {
            "options": np.array([rng.permutation(12)[:4] for _ in range(20)]),
            "answers": rng.integers(4, size=20),
            "image_rows": rng.integers(30, size=20),
        }
    return EmbeddingSet(**fields).normalise()


@pytest.fixture
def file(tmp_path):
    return toy().save(tmp_path / "toy.safetensors")


def test_measure_agrees_with_plain_numpy(run, file):
    code, out, _ = run("measure", file, "--json", "--sigma", "0.01")
    values, entries = json.loads(out), toy()
    assert code == 0
    gap = entries.images.astype(float).mean(0) - entries.texts.astype(float).mean(0)
    assert values["l2m"] == pytest.approx(np.linalg.norm(gap), abs=1e-7)
    distance = np.linalg.norm(entries.images[:, None].astype(float) - entries.texts[None], axis=2)
    assert values["accuracy"] == pytest.approx((distance.argmin(1) == entries.labels).mean())
    assert 0 < values["robustness"] < 1
    code, out, _ = run("measure", file, "--intervals")
    assert code == 0
    assert "gap: distance of the means" in out


@pytest.mark.parametrize(("classes", "intervals"), [(8, 7), (3, 4)])
def test_intervals_of_few_rows_hold_their_estimate_and_nothing_impossible(run, tmp_path, classes, intervals):
    rng = np.random.default_rng(1)
    texts, images = rng.standard_normal((classes, 400)), rng.standard_normal((12, 400))
    texts[:, 0] += 30
    few = EmbeddingSet(
        images=images, texts=texts, task="zero-shot", labels=np.arange(12) % classes
    ).normalise()
    path = few.save(tmp_path / "few.safetensors")
    values = json.loads(run("measure", path, "--intervals", "--json")[1])
    plain = json.loads(run("measure", path, "--json")[1])
    found = {name: value for name, value in values.items() if isinstance(value, list)}
    assert len(found) >= intervals
    for name, (estimate, low, high) in found.items():
        assert estimate == pytest.approx(plain[name])
        assert low <= estimate <= high
        assert low >= (-1 if "cosine" in name else 0)


@pytest.mark.parametrize("ending", ["npy", "npz", "csv", "parquet"])
@pytest.mark.parametrize("command", ["measure", "close"])
def test_a_file_of_another_kind_is_to_be_imported_first(run, tmp_path, ending, command):
    path = tmp_path / f"x.{ending}"
    path.write_bytes(b"whatever")
    code, _, err = run(command, path, *(["--out", tmp_path / "y.safetensors"] if command == "close" else []))
    assert code == 2
    assert f"gapkit import {path} --out x.safetensors" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("task", ["zero-shot", "pairs", "multiple-choice"])
def test_close_keeps_every_answer_and_says_so(run, tmp_path, task):
    path = toy(task).save(tmp_path / "toy.safetensors")
    noise = [] if task == "multiple-choice" else ["--sigma", "0.02"]
    code, out, err = run("close", path, "--out", tmp_path / "closed.safetensors", *noise)
    assert (code, err) == (0, "")
    assert out.splitlines()[-2].split() == ["same", "answers", "as", "before", "1.0000"]
    closed = load_embeddings(tmp_path / "closed.safetensors")
    assert not closed.normalised
    assert closed.metadata["closed"]["closer"] == "ProjectedShift"


def test_close_shows_no_prediction_beside_the_robustness(run, tmp_path):
    before = toy("pairs")
    path = before.save(tmp_path / "toy.safetensors")
    out = run("close", path, "--out", tmp_path / "closed.safetensors", "--sigma", "0.02")[1]
    closer = GapCloser().fit(before.texts, before.images)
    law = predict_closed(before.images, before.texts, 0.02, closer=closer)
    shown = next(line for line in out.splitlines() if "predicted" in line)
    assert float(shown.split()[-1]) == pytest.approx(law, abs=1e-3)
    raw = run("close", path, "--out", tmp_path / "raw.safetensors", "--sigma", "0.02", "--method", "raw")[1]
    assert next(line for line in raw.splitlines() if "predicted" in line).endswith("–")


def test_close_moves_the_gallery_by_the_papers_shift(run, file, tmp_path):
    run("close", file, "--out", tmp_path / "closed.safetensors", "--alpha", "0.5", "--components", "3")
    before, after = toy(), load_embeddings(tmp_path / "closed.safetensors")
    expected = GapCloser(alpha=0.5, n_components=3).fit(before.texts, before.images).transform(before.texts)
    assert np.allclose(after.texts, expected, atol=1e-6)
    assert np.allclose(after.images, before.images, atol=1e-14)  # unit rows are divided again on loading


def test_multiple_choice_takes_the_gap_from_all_and_the_projection_from_each_question():
    before = toy("multiple-choice")
    after = close_set(before, GapCloser())
    assert np.array_equal(answer(before)[0], answer(after)[0])
    gap = before.images.astype(float).mean(0) - before.texts.astype(float).mean(0)
    for row in (0, 7, 19):
        options = before.texts[before.options[row]].astype(float)
        basis = np.linalg.svd(options - options.mean(0), full_matrices=False)[2][:3]
        moved = before.images[before.image_rows[row]] - (gap - basis.T @ (basis @ gap))
        assert np.allclose(after.images[after.image_rows[row]], moved, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--method", "centring", "--alpha", "0.5"), "--alpha has no meaning"),
        (("--method", "projekted"), "no closer 'projekted' (did you mean 'projected'?)"),
        (("--method", "raw", "--components", "3"), "--components has no meaning"),
        (("--components", "300"), "n_components"),
    ],
)
def test_close_refuses_options_that_do_not_fit(run, file, tmp_path, arguments, message):
    code, _, err = run("close", file, "--out", tmp_path / "closed.safetensors", *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "closed.safetensors").exists()


def test_embed_writes_a_file_and_the_second_time_takes_it_from_the_cache(run, tmp_path):
    model = f"local-dir:{write_tiny(tmp_path / 'model')}"
    arguments = (
        "embed",
        model,
        "digits10",
        "--device",
        "cpu",
        "--quiet",
        "--out",
        tmp_path / "digits.safetensors",
    )
    code, out, err = run(*arguments)
    assert code == 0
    assert out.strip() == str(tmp_path / "digits.safetensors")
    assert "in float32 on cpu" in err
    first = (tmp_path / "digits.safetensors").read_bytes()
    assert run(*arguments)[0] == 0
    assert (tmp_path / "digits.safetensors").read_bytes() == first
    assert run("measure", tmp_path / "digits.safetensors")[0] == 0


def test_embed_lists_what_it_leaves_out(run, tmp_path, monkeypatch):
    monkeypatch.setattr("warnings.showwarning", lambda *_: None)
    model = f"local-dir:{write_tiny(tmp_path / 'model')}"
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    (tmp_path / "c.csv").write_text("image,caption\na.png,one\nb.png,two\n")
    arguments = ("embed", model, "csv", "--root", tmp_path, "--annotations", tmp_path / "c.csv", "--quiet")
    code, _, err = run(*arguments)
    assert code == 2
    assert "b.png" in err
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code, _, err = run(*arguments, "--skip-unreadable")
    assert code == 0
    assert "left out b.png: cannot read" in err


def test_import_and_fetch_end_with_a_file(run, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "both.npy", rng.standard_normal((2, 5, 4)))
    code, out, _ = run("import", tmp_path / "both.npy", "--out", tmp_path / "a.safetensors", "--model", "m")
    assert code == 0
    assert load_embeddings(out.strip()).metadata["model"] == "m"
    code, _, err = run("fetch", "coco500-clip-vitb16", "--from", tmp_path / "both.npy")
    assert code == 2
    assert "is not the published file of coco500-clip-vitb16" in err
    code, _, err = run("fetch", "--from", tmp_path)
    assert code == 2
    assert "nothing in" in err


def test_fetch_takes_what_it_finds_and_names_what_is_changed(run, tmp_path, monkeypatch):
    folder = tmp_path / "copies"
    folder.mkdir()
    for place, name in enumerate(("one", "two", "three")):
        path = folder / f"{name}.npy"
        np.save(path, np.random.default_rng(place).standard_normal((2, 5 + place, 4)))
        entry = dataclasses.replace(
            published_sets()["coco500-clip-vitb16"],
            name=f"made-{name}",
            file=path.name,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            bytes=path.stat().st_size,
        )
        monkeypatch.setitem(published_sets(), entry.name, entry)
    (folder / "two.npy").write_bytes((folder / "two.npy").read_bytes()[:-1] + b"x")
    (folder / "three.npy").unlink()
    (folder / "one.npy").rename(folder / "renamed.bin")
    code, out, err = run("fetch", "--from", folder)
    assert code == 2
    assert "made-one.npy" in out and "made-two" not in out
    assert (
        "two.npy is not the published file of made-two" in err and published_sets()["made-two"].sha256 in err
    )
    code, _, err = run("fetch", "made-one", "made-two", "made-three", "--from", folder)
    assert code == 2
    assert "is not the published file of made-two" in err and "is made-three" in err
    code, out, _ = run("fetch")
    assert code == 0
    cached = {line.split()[0]: line.split()[-1] for line in out.splitlines() if line.startswith("made-")}
    assert cached == {"made-one": "yes", "made-two": "no", "made-three": "no"}
    assert run("fetch", "--all", "made-one")[0] == 2


@pytest.mark.parametrize("ending", ["csv", "npy"])
def test_import_takes_a_matrix_of_cosines(run, tmp_path, ending):
    rows = np.concatenate([toy("pairs").images, toy("pairs").texts]).astype(float)
    path = tmp_path / f"gram.{ending}"
    if ending == "csv":
        np.savetxt(path, rows @ rows.T, delimiter=",")
    else:
        np.save(path, (rows @ rows.T).astype(np.float32))
    out = tmp_path / "g.safetensors"
    code, _, err = run("import", "--gram", path, "--images", 12, "--dimension", 64, "--out", out)
    assert code == 0
    assert "up to a rotation" in err
    entries = EmbeddingSet.load(out)
    assert entries.dim == 64
    expected = np.linalg.norm(rows[:12].mean(0) - rows[12:].mean(0))
    assert np.linalg.norm(entries.images.mean(0) - entries.texts.mean(0)) == pytest.approx(expected, abs=1e-5)
    for arguments, message in (
        (("--gram", path, "--images", 12), "takes --images N"),
        (("--gram", path, "--images", 11, "--dimension", 64), "leaves 13 texts"),
        (("--gram", path, "--images", 12, "--dimension", 3), "more than dimension=3"),
        ((path, "--images", 12), "need --gram FILE"),
        ((), "name a file to import"),
    ):
        code, _, err = run("import", *arguments, "--out", out)
        assert code == 2 and message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("measure", "miniclip-wide/scenes1000"), "did you mean 'miniclip-wide/scenes100'"),
        (("measure", "nowhere.safetensors"), "no file nowhere.safetensors"),
        (("embed", "ViT-B-16/opena", "digits10"), "has no weights 'opena'"),
        (("embed", "miniclip-random", "digits"), "did you mean 'digits10'"),
        (("embed", "miniclip-random", "digits10", "--root", "x"), "no option root (--root); it takes split"),
        (("embed", "miniclip-random", "csv"), "dataset csv needs root (--root), annotations (--annotations)"),
        (("embed", "miniclip-random", "cifar10", "--root", "/nowhere"), "no cifar10 in /nowhere"),
        (("embed", "miniclip-random", "digits10", "--device", "tpu"), "device must be one of"),
        (("import", "nowhere.npy", "--out", "x.safetensors"), "no file nowhere.npy"),
        (("fetch", "coco500-clip-vitb32"), "did you mean 'coco500-clip-vitb16'"),
    ],
)
def test_faults_end_with_2_and_one_line(run, arguments, message):
    code, _, err = run(*arguments)
    assert code == 2
    assert message in err
    assert err.startswith("gapkit: ")
    assert len(err.strip().splitlines()) == 1


def test_an_out_that_cannot_be_written_is_one_line(run, file, tmp_path):
    (tmp_path / "in-the-way").write_text("")
    code, _, err = run("close", file, "--out", tmp_path / "in-the-way" / "x.safetensors")
    assert code == 2
    assert "cannot write" in err


def test_the_set_that_is_closed_is_written_over(run, file):
    before = file.read_bytes()
    code, _, err = run("close", file, "--out", file)
    assert (code, file.read_bytes()) == (2, before)
    assert "would be lost" in err


def test_models_and_info_say_what_is_there(run, tmp_path, monkeypatch):
    from huggingface_hub import constants

    folder = (
        tmp_path / "hub" / "models--timm--vit_base_patch16_clip_224.openai"
    )  # as the hub's client lays it out
    for part in ("blobs", "refs", "snapshots/0123abc"):
        (folder / part).mkdir(parents=True)
    (folder / "blobs" / "x").write_bytes(bytes(2_000_000))
    (folder / "blobs" / "y.incomplete").write_bytes(bytes(2_000_000))
    (folder / "refs" / "main").write_text("0123abc")
    (folder / "snapshots" / "0123abc" / "open_clip_model.safetensors").symlink_to(folder / "blobs" / "x")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    code, out, _ = run("models", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert rows["clip-vit-b16"]["here"]
    assert not rows["clip-vit-l14"]["here"]
    assert rows["miniclip-random"]["here"]
    assert len(run("models", "--all")[1].splitlines()) > 190
    code, out, _ = run("info", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["cache"] == str(tmp_path / "cache")
    assert "cifar100" in facts["datasets"]
    monkeypatch.setenv("GAPKIT_DATA", str(tmp_path / "none"))
    assert "no shipped data" in run("info")[1]


@pytest.fixture
def tiny(tmp_path):
    return f"local-dir:{write_tiny(tmp_path / 'tiny')}"


def write_cifar(root):
    rng = np.random.default_rng(0)
    labels = [i % 10 for i in range(20)]
    batch = {"labels": labels, "data": rng.integers(0, 256, (20, 3072), dtype=np.uint8)}
    (root / "cifar-10-batches-py").mkdir(parents=True)
    (root / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(batch, protocol=2))


@pytest.mark.filterwarnings("ignore:.*not the published bytes")
def test_replicate_embeds_a_named_dataset_with_a_named_model_before_it_measures(
    run, tmp_path, tiny, monkeypatch
):
    monkeypatch.delenv("GAPKIT_PROGRESS", raising=False)  # the bar is asked for here
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    write_cifar(tmp_path / "data")
    datasets = ("--dataset", "cifar10", "--dataset", "cifar10-rephrased", "--root", tmp_path / "data")
    only = ("--only", "gap", "--only", "rephrasing")
    how = ("--template", "a {} seen once", "--device", "cpu", "--batch-size", "3")
    code, _, err = run("replicate", "--model", tiny, *datasets, *only, *how, "--out", tmp_path / "r")
    assert code == 0
    assert "Dataset(cifar10, zero-shot: 20 images, 10 texts)" in err
    assert "20/20" in err
    assert "images/s" in err
    record = json.loads((tmp_path / "r" / "claims.json").read_text())
    done = {(job["experiment"], job["model"], job["dataset"]) for job in record["jobs"]}
    assert done == {("gap", tiny, "cifar10"), ("rephrasing", tiny, "cifar10-rephrased")}
    (kept,) = (tmp_path / "cache" / "embeddings").glob("cifar10--*.safetensors")
    assert load_embeddings(kept).metadata["notes"]["template"] == "a {} seen once"


def test_the_options_of_a_dataset_are_those_of_embed(run, tmp_path, tiny):
    """What is measured are the embeddings `gapkit embed` writes with the same options."""
    for name in ("red", "blue"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (9, 9), name).save(tmp_path / "photos" / name / f"{number}.png")
    options = ("--root", tmp_path / "photos", "--template", "{}!", "--device", "cpu")
    run("embed", tiny, "folder", *options, "--out", tmp_path / "own.safetensors")
    run(
        "replicate",
        "--model",
        tiny,
        "--dataset",
        "folder",
        *options,
        "--only",
        "gap",
        "--out",
        tmp_path / "r",
    )
    measured = json.loads((tmp_path / "r" / "claims.json").read_text())["jobs"]
    run("replicate", "--dataset", tmp_path / "own.safetensors", "--only", "gap", "--out", tmp_path / "s")
    again = json.loads((tmp_path / "s" / "claims.json").read_text())["jobs"]
    assert [job["data_sha256"] for job in measured] == [job["data_sha256"] for job in again]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset", "folder"), "dataset folder needs root (--root)"),
        (("--dataset", "cifar10"), "Name its folder with root (--root)"),
        (
            ("--dataset", "digits10", "--limit", "5"),
            "--limit fits none of the datasets to embed; got digits10",
        ),
        (("--split", "train"), "--split fits none of the datasets to embed; got the shipped sets"),
        (("--dataset", "cifar10", "--device", "tpu"), "no cifar10 in"),
        (("--model", "miniclip-wide", "--dataset", "FILE"), "leave out --model miniclip-wide"),
    ],
)
def test_replicate_names_the_option_that_is_missing_or_too_much(run, file, tmp_path, arguments, message):
    arguments = [str(file) if one == "FILE" else one for one in arguments]
    code, _, err = run("replicate", "--out", tmp_path / "r", "--quiet", *arguments)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_closers_that_mix_questions_are_refused():
    from gapkit.closing.published import Centring

    with pytest.raises(InputError, match="multiple choice"):
        close_set(toy("multiple-choice"), Centring())


def test_replicate_measures_identical_sides_or_does_not_name_their_file(run, tmp_path):
    rows = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    for name, texts, what in (
        ("same", rows, "are the same rows"),
        ("mean", rows[::-1], "have the same mean"),
    ):
        path = (
            EmbeddingSet(images=rows, texts=texts, task="pairs")
            .normalise()
            .save(tmp_path / f"{name}.safetensors")
        )
        code, _, err = run("replicate", "--dataset", path, "--out", tmp_path / "r")
        assert code == 2
        assert f"gapkit: {path}: images and texts {what}, so there is no gap to measure" in err


def test_repeated_options_are_measured_twice(run, tmp_path, file):
    twice = ("--dataset", file, "--only", "gap", "--format", "md") * 2
    assert run("replicate", *twice, "--out", tmp_path / "r")[0] == 0
    record = json.loads((tmp_path / "r" / "claims.json").read_text())
    assert len(record["jobs"]) == 1
