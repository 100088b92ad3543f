"""Tables as people have them: each is read exactly, or refused in one line that says what to do."""

import numpy as np
import pandas
import pytest

from gapkit.embeddings import import_embeddings
from gapkit.errors import InputError

N, D = 40, 16
RNG = np.random.default_rng(7)
Z = RNG.standard_normal((N, D)).round(6)
UNIT = (Z / np.linalg.norm(Z, axis=1, keepdims=True)).round(6)
COUNTING = np.vstack([np.arange(D), Z[1:].round(4)])
ZERO = np.vstack([np.zeros(D), Z[1:].round(4)])
UNIT_AXIS = np.vstack([np.eye(D)[1], UNIT[1:]])
WHOLE = RNG.integers(-90, 90, (N, D))
FILES = [f"images/{i:04d}.jpg" for i in range(N)]
CAPTIONS = [f"a {i}th photo, of 2 dogs" for i in range(N)]
D_NAMES = [f"d{j}" for j in range(D)]


def text(
    matrix=Z, *, sep=",", header=None, first=None, last=None, decimal=".", end="\n", form="{:.6f}", tail=""
):
    """A table of text, cell by cell."""
    rows = [header] if header is not None else []
    for i, row in enumerate(matrix):
        cells = [form.format(value).replace(".", decimal) for value in row]
        rows.append(
            ([first[i]] if first is not None else []) + cells + ([str(last[i])] if last is not None else [])
        )
    return "".join(sep.join(map(str, row)) + tail + end for row in rows)


def spelt(matrix=Z, *, how=str, sep=",", quote='"', name="embedding", first=FILES):
    """A table of text with a column of vectors."""
    lines = [sep.join(["path", name])] if name else []
    lines += [
        sep.join([file, f"{quote}{how(row.tolist())}{quote}"])
        for file, row in zip(first, matrix, strict=True)
    ]
    return "\n".join(lines) + "\n"


def csv_of(frame, **options):
    return frame.to_csv(**options)


def spaced(row):
    return "[" + " ".join(map(str, row)) + "]"


FRAME = pandas.DataFrame(Z, columns=D_NAMES)
COUNTED = pandas.DataFrame(Z)
READ = {
    # name of the case: (ending, content, options, names of the rows)
    "numbers only": ("csv", text(), {}, None),
    "header d0": ("csv", text(header=D_NAMES), {}, None),
    "unit rows below 0..15": ("csv", text(UNIT, header=range(D)), {}, None),
    "unit rows below 1..16": ("csv", text(UNIT, header=range(1, D + 1)), {}, None),
    "unit rows below 10..25": ("csv", text(UNIT, header=range(10, D + 10)), {}, None),
    "unit rows, one of them 0, 1, 0 …": ("csv", text(UNIT_AXIS, form="{:g}"), {}, None),
    "path,0,1 …": ("csv", text(header=["path", *range(D)], first=FILES), {}, FILES),
    "file names below a title": ("csv", text(header=["of", *range(D)], first=FILES), {}, None),
    "first row 0..15 and a file": ("csv", text(COUNTING, first=FILES, form="{:g}"), {}, FILES),
    "first row 0..15 said": ("csv", text(COUNTING, form="{:g}"), {"header": "no"}, None),
    "first row of zeros": ("csv", text(ZERO, form="{:g}"), {}, None),
    "header 0.0,1.0 said": ("csv", text(header=map(float, range(D))), {"header": "yes"}, None),
    "header of whole numbers said": ("csv", text(WHOLE, header=range(D), form="{}"), {"header": "yes"}, None),
    "whole rows that count, no header said": ("csv", text(WHOLE, form="{}"), {"header": "no"}, None),
    "pandas with its index": ("csv", csv_of(COUNTED), {}, None),
    "pandas without its index": ("csv", csv_of(COUNTED, index=False), {"header": "yes"}, None),
    "index of file names": ("csv", csv_of(FRAME.set_axis(FILES)), {}, FILES),
    "scores prices ids": (
        "csv",
        csv_of(
            FRAME.assign(
                score=0.5, price=Z[:, 0], img_id=range(N), ImageID=1, cocoid=1, product_id=2, timestamp=1.6e9
            ),
            index=False,
        ),
        {},
        None,
    ),
    "ids in front": ("csv", text(header=["photo_id", *D_NAMES], first=range(N)), {}, None),
    "emb_1": ("csv", text(header=[f"emb_{j + 1}" for j in range(D)]), {}, None),
    "feature.000": ("csv", text(header=[f"feature.{j:03d}" for j in range(D)]), {}, None),
    "emb[0]": ("csv", text(header=[f"emb[{j}]" for j in range(D)]), {}, None),
    "V1 of R": ("csv", text(header=[f'"V{j + 1}"' for j in range(D)]), {}, None),
    "R's row names": (
        "csv",
        text(header=[f"V{j + 1}" for j in range(D)], first=[f'"{i + 1}"' for i in range(N)]),
        {},
        None,
    ),
    "R's row names that are files": ("csv", text(header=D_NAMES, first=FILES), {}, FILES),
    "file names without header": ("csv", text(first=FILES), {}, FILES),
    "captions behind without header": ("csv", text(last=[f'"{c}"' for c in CAPTIONS]), {}, CAPTIONS),
    "quoted captions and header": (
        "csv",
        text(header=["caption", *D_NAMES], first=[f'"{c}"' for c in CAPTIONS]),
        {},
        CAPTIONS,
    ),
    "blank first line": ("csv", "\n" + text(header=D_NAMES), {}, None),
    "blank lines between": ("csv", text().replace("\n", "\n\n"), {}, None),
    "preamble": ("csv", "# embeddings of ViT-B/32\n# made in 2024, by us\n" + text(header=D_NAMES), {}, None),
    "preamble without signs": (
        "csv",
        "Embeddings of ViT-B/32\nmade by us\n\n" + text(header=D_NAMES),
        {},
        None,
    ),
    "preamble with its line said": ("csv", "40,rows,16\n7\n" + text(header=D_NAMES), {"header": "3"}, None),
    "word2vec": (
        "txt",
        f"{N} {D}\n" + text(sep=" ", first=[f"word{i}" for i in range(N)]),
        {},
        [f"word{i}" for i in range(N)],
    ),
    "trailing commas": ("csv", text(header=D_NAMES, tail=","), {}, None),
    "trailing commas, header without": (
        "csv",
        text(header=D_NAMES).replace("\n", ",\n").replace(",\n", "\n", 1),
        {},
        None,
    ),
    "trailing commas, no header": ("csv", text(tail=",,"), {}, None),
    "empty rows at the end": (
        "csv",
        text(header=D_NAMES) + "," * (D - 1) + "\n" + "," * (D - 1) + "\n",
        {},
        None,
    ),
    "semicolons, decimal commas": ("csv", text(sep=";", decimal=",", header=D_NAMES), {}, None),
    "semicolons, decimal commas, no header": ("csv", text(sep=";", decimal=","), {}, None),
    "tabs, decimal commas": ("tsv", text(sep="\t", decimal=",", first=FILES), {}, FILES),
    "quoted decimal commas": ("csv", text(decimal=",", form='"{:.6f}"', header=D_NAMES), {}, None),
    "tsv": ("tsv", text(sep="\t", header=D_NAMES), {}, None),
    "tabs in a csv": ("csv", text(sep="\t"), {}, None),
    "pipes": ("csv", text(sep="|", header=D_NAMES), {}, None),
    "spaces": ("txt", text(sep=" "), {}, None),
    "savetxt": ("txt", "# d0 d1\n" + text(sep=" ", form="{:.18e}"), {}, None),
    "Excel's sep": ("csv", "sep=;\n" + text(sep=";", decimal=",", header=D_NAMES), {}, None),
    "byte order mark": ("csv", "\ufeff" + text(header=D_NAMES), {}, None),
    "carriage returns": ("csv", text(header=D_NAMES, end="\r\n"), {}, None),
    "no end of the last line": ("csv", text(header=D_NAMES).rstrip("\n"), {}, None),
    "whole numbers": ("csv", text(WHOLE, header=D_NAMES, form="{}"), {}, None),
    "shuffled columns": ("csv", csv_of(FRAME[sorted(D_NAMES)], index=False), {}, None),
    "columns said": (
        "csv",
        text(header=["first", *map(chr, range(97, 97 + D - 2)), "last"]),
        {"columns": "first..last"},
        None,
    ),
    "columns by place": ("csv", text(first=range(N)), {"columns": f"2..{D + 1}"}, None),
    "columns by pattern": (
        "csv",
        text(header=[f"q_{c}" for c in "abcdefghijklmnop"], last=range(N)).replace("q_p\n", "q_p,n\n"),
        {"columns": "q_*"},
        None,
    ),
    "two families, one said": (
        "csv",
        csv_of(FRAME.join(-FRAME.add_prefix("txt_")), index=False),
        {"image_key": "d", "text_key": "d"},
        None,
    ),
    "vectors with commas": ("csv", spelt(), {}, FILES),
    "vectors without commas": ("csv", spelt(how=spaced), {}, FILES),
    "vectors over lines": ("csv", spelt(how=lambda row: spaced(row).replace(" ", "\n ", 4)), {}, FILES),
    "vectors in semicolons, unquoted": ("csv", spelt(sep=";", quote=""), {}, FILES),
    "vectors in tabs": ("tsv", spelt(sep="\t", quote="", how=lambda row: str(tuple(row))), {}, FILES),
    "vectors as tensors": (
        "csv",
        spelt(how=lambda row: f"tensor({row}, device='cuda:0', grad_fn=<A>)"),
        {},
        FILES,
    ),
    "vectors of numpy's scalars": (
        "csv",
        spelt(how=lambda row: "[" + ", ".join(f"np.float32({v})" for v in row) + "]"),
        {},
        FILES,
    ),
    "vectors as numpy prints them": (
        "csv",
        spelt(how=lambda row: np.array2string(np.array(row), max_line_width=60, precision=8)),
        {},
        FILES,
    ),
    "vectors in bars": ("csv", spelt(quote="", how=lambda row: "|".join(map(str, row))), {}, FILES),
    "vectors of whole numbers": ("csv", spelt(WHOLE), {}, FILES),
    "nested vectors": ("csv", spelt(how=lambda row: str([row])), {}, FILES),
    "vectors without header": ("csv", spelt(name=None), {}, FILES),
    "vectors of Postgres": ("csv", spelt(how=lambda row: "{" + ",".join(map(str, row)) + "}"), {}, FILES),
    "vectors without brackets": ("csv", spelt(how=lambda row: " ".join(map(str, row))), {}, FILES),
    "one column of vectors": ("csv", "embedding\n" + "".join(f'"{row.tolist()}"\n' for row in Z), {}, None),
    "bounding boxes beside": (
        "csv",
        csv_of(
            pandas.DataFrame({"path": FILES, "bbox": ["[1, 2, 3, 4]"] * N, "embedding": Z.tolist()}),
            index=False,
        ),
        {},
        FILES,
    ),
}


@pytest.mark.parametrize("case", READ)
def test_tables_are_read_exactly(tmp_path, case):
    ending, content, options, names = READ[case]
    path = tmp_path / f"a.{ending}"
    path.write_text(content, encoding="utf-8", newline="")
    entries = import_embeddings(path, path, normalise="no", **options)
    expected = {"whole": WHOLE, "0..15 ": COUNTING, "zeros": ZERO, "one of": UNIT_AXIS, "unit": UNIT}
    expected = next((matrix for word, matrix in expected.items() if word in case), Z)
    assert entries.images.shape == (N, D)
    assert np.array_equal(entries.images, expected)
    assert np.array_equal(entries.texts, expected)
    assert entries.image_names == (None if names is None else tuple(names))
    assert entries.metadata["columns"]


D1 = text(header=D_NAMES)
CELL = f"{Z[2, 5]:.6f}"
REFUSED = {
    # name of the case: (content, options, a part of the message)
    "header 0.0,1.0": (text(header=map(float, range(D))), {}, "Say --header yes or --header no"),
    "numbers below 0..15": (text(header=range(D)), {}, "Say --header yes or --header no"),
    "a first row 0..15": (text(COUNTING, form="{:g}"), {}, "Say --header yes or --header no"),
    "two tables side by side": (
        csv_of(pandas.concat([COUNTED, COUNTED], axis=1), index=False),
        {},
        "Say --header yes or --header no",
    ),
    "a bad vector in the first row": (
        spelt(name=None).replace(f"{Z[0, 3]}", "nan", 1),
        {},
        "--header yes or --header no",
    ),
    "a word for the first of the vectors": (
        'failed\n"[0.1, 0.2]"\n"[0.1, 0.3]"\n',
        {},
        "--header yes or --header no",
    ),
    "an empty cell above a column that counts nothing": (
        text().replace(f"{Z[0, 0]:.6f}", "", 1),
        {},
        "--header yes or --header no",
    ),
    "whole rows below 0..15": (
        text(WHOLE, header=range(D), form="{}"),
        {},
        "Say --header yes or --header no",
    ),
    "chosen columns as header": (text(Z[:, :4], header=[3, 9, 4, 7]), {}, "Say --header yes or --header no"),
    "error in the first row": (
        text().replace(f"{Z[0, 3]:.6f}", "#VALUE!", 1),
        {},
        "--header yes or --header no",
    ),
    "error in the only row": (
        text(Z[:1, :5]).replace(f"{Z[0, 4]:.6f}", "#REF!"),
        {},
        "numbers may be missing",
    ),
    "an empty row below the header": (
        D1.replace("\n", "\n" + "," * (D - 1) + "\n", 1),
        {},
        "line 2 is empty; delete it",
    ),
    "an empty vector below the header": ('embedding\n""\n"[0.1, 0.2]"\n', {}, "row 1 (line 2)"),
    "error in a cell": (
        D1.replace(CELL, "#VALUE!"),
        {},
        "row 3 (line 4), column d5: '#VALUE!' is not a number",
    ),
    "empty cell": (D1.replace(CELL, ""), {}, "row 3 (line 4), column d5: an empty cell is not a number"),
    "nan": (D1.replace(CELL, "nan"), {}, "row 3 (line 4), column d5: 'nan' is not a number"),
    "infinity": (D1.replace(CELL, "1e999"), {}, "row 3 (line 4), column d5: '1e999' is not a number"),
    "underscores": (D1.replace(CELL, "1_000"), {}, "row 3 (line 4), column d5: '1_000' is not a number"),
    "a missing cell": (D1.replace(CELL + ",", ""), {}, "row 3 (line 4) has 15 cells"),
    "a cell too many": (D1.replace(CELL, CELL + ",1"), {}, "row 3 (line 4) has 17 cells"),
    "an empty row": (
        D1.replace("\n", "\n" + "," * (D - 1) + "\n", 4).replace("," * (D - 1) + "\n", "", 3),
        {},
        "is empty; delete it",
    ),
    "a sum below": (D1 + "40 rows\n", {}, f"row {N + 1} (line {N + 2}) has 1 cells"),
    "ids without header": (text(first=range(N)), {}, "--columns"),
    "labels behind without header": (text(last=[i % 3 for i in range(N)]), {}, "--columns"),
    "times without header": (text(first=[f"{1.6e9 + i / 3:.2f}" for i in range(N)]), {}, "--columns"),
    "names that count nothing": (text(header=[chr(97 + j) for j in range(D)]), {}, "--columns"),
    "ids among columns that count": (
        text(UNIT, header=range(D + 1), first=range(N)),
        {"header": "yes"},
        "holds whole numbers, the others not",
    ),
    "boxes alone": (spelt(Z[:, :4], name="bbox"), {}, "--columns"),
    "signs of decimal commas cut by commas": (
        text(np.sign(Z) * (1 + Z.round(1) ** 2).round(1), decimal=",", form="{:.1f}"),
        {},
        "decimal commas cut",
    ),
    "scores alone": (text(Z[:, :3], header=["score_1", "score_2", "score_3"]), {}, "--columns"),
    "a gap in the numbers": (
        text(header=[*D_NAMES[:5], *(f"d{j + 1}" for j in range(5, D))]),
        {},
        "without d5",
    ),
    "a number twice": (
        text(header=[*D_NAMES[:5], "d4", *D_NAMES[6:]]),
        {"header": "yes"},
        "two columns numbered d4",
    ),
    "thousands or decimals": (
        text(WHOLE * 1000 + 1000_000, sep=";", form="{:,}"),
        {"header": "no"},
        "--decimal",
    ),
    "points and commas": (
        text(sep=";", decimal=",").replace(f"{Z[0, 0]:.6f}".replace(".", ","), f"{Z[0, 0]:.6f}"),
        {},
        "--decimal",
    ),
    "decimal commas cut by commas": (text(decimal=","), {}, "decimal commas cut"),
    "vectors cut at commas": (spelt(quote=""), {}, "quote them"),
    "vectors shortened by numpy": (
        spelt(how=lambda row: f"[{row[0]} {row[1]} ... {row[-1]}]"),
        {},
        "shortened by numpy",
    ),
    "vectors of two lengths": (spelt().replace(f", {Z[4, 7]}", "", 1), {}, "row 5 (line 6) has 15 numbers"),
    "a vector missing": (
        spelt().replace(f'"{Z[4].tolist()}"', ""),
        {},
        "row 5 (line 6), column embedding: an empty cell",
    ),
    "matrices in a row": (spelt(how=lambda row: str([row, row])), {}, "several vectors"),
    "two columns of vectors": (
        csv_of(pandas.DataFrame({"before": Z.tolist(), "after": Z.tolist()}), index=False),
        {},
        "--image-key",
    ),
    "both sides the wrong way round": (spelt(name="text_embedding"), {}, "--image-key text_embedding"),
    "two tables": (D1 + "\n" + D1, {}, f"row {N + 1}"),
    "nothing": ("", {}, "nothing in it"),
    "a header alone": (",".join(D_NAMES) + "\n", {}, "--header"),
    "no table": ("This is a text.\nIt has lines.\n", {}, "no columns of numbers"),
    "zero bytes": ("0.1,0.2\0\n0.3,0.4\n", {}, "zero byte"),
    "a column that is not there": (D1, {"columns": "d0..d99"}, "has no column 'd99'"),
    "a separator of two characters": (D1, {"separator": "::"}, "--separator must be one character"),
    "a wrong announcement": (f"{N + 1} {D}\n" + text(sep=" "), {}, f"announces {N + 1} rows"),
    "row of data in front of the names": (text(Z[:1, :5]) + text(header=D_NAMES), {}, "line 1 has 5 cells"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_tables_that_could_be_wrong_are_refused_in_one_line(tmp_path, case):
    content, options, message = REFUSED[case]
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8", newline="")
    with pytest.raises(InputError) as fault:
        import_embeddings(path, path, **options)
    assert message in str(fault.value)
    assert "\n" not in str(fault.value)
    assert len(str(fault.value)) < 600


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("sign", [",", "\t"])
@pytest.mark.parametrize("spelt", [False, True])
def test_a_quotation_mark_that_takes_in_rows_is_named(tmp_path, place, sign, spelt):
    rows = np.random.default_rng(0).standard_normal((6, 9))
    names = ["emb"] if spelt else [f"d{j}" for j in range(9)]
    cells = [
        [f"[{' '.join(map(repr, map(float, row)))}]"] if spelt else list(map(repr, map(float, row)))
        for row in rows
    ]
    words = ["a", '"A man', "c", 'a dog"', "e", "f"]

    def line(word, others):
        return sign.join([word, *others] if place == "first" else [*others, word])

    path = tmp_path / "a.csv"
    path.write_text("\n".join([line("caption", names), *map(line, words, cells)]) + "\n")
    with pytest.raises(InputError, match="quotation mark|cells|cut|columns"):
        import_embeddings(path, path)
    words[1:4] = ['"A man, 1, 2,\nin ""a"" hat, 3"', "c", "d"]
    path.write_text("\n".join([line("caption", names), *map(line, words, cells)]) + "\n")
    assert np.array_equal(import_embeddings(path, path, normalise="no").images, rows)
