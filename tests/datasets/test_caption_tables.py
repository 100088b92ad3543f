"""Tables of captions as people have them: the exact rows, or the exact refusal."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gapkit.datasets import load_dataset
from gapkit.datasets.caption_tables import read_captions
from gapkit.errors import GapkitWarning, InputError


def two_ways(line):
    return (
        f"t.csv, line {line}: its quotation marks can be read in two ways; say --quoting csv if they stand around cells "
        "and are doubled inside, --quoting backslash if those inside follow a backslash, or --quoting none if they "
        "belong to the captions"
    )


def too_many(line, cells, header=2, separator="commas"):
    return (
        f"t.csv, line {line} has {cells} cells, the header {header}; put captions with {separator} into "
        "quotation marks"
    )


H = "image,caption\n"
CASES = {
    "plain": (H + "a.png,A dog\nb.png,A cat\n", [("a.png", "A dog"), ("b.png", "A cat")]),
    "a quoted comma": (H + 'a.png,"A dog, running"\n', [("a.png", "A dog, running")]),
    "a doubled mark": (H + 'a.png,"A ""Stop"" sign"\n', [("a.png", 'A "Stop" sign')]),
    "begins with a quotation": (H + 'a.png,"""Stop"" sign"\n', [("a.png", '"Stop" sign')]),
    "begins with one, unquoted": (H + 'a.png,"Stop" sign\nb.png,x\n', [("a.png", '"Stop" sign'), ("b.png", "x")]),
    "begins with an open one": (H + 'a.png,"Stop sign\nb.png,x\n', [("a.png", '"Stop sign'), ("b.png", "x")]),
    "two quotations": (H + 'a.png,"A" and "B"\n', [("a.png", '"A" and "B"')]),
    "inches": (H + 'a.png,a 5" screen\nb.png,7"\n', [("a.png", 'a 5" screen'), ("b.png", '7"')]),
    "an open mark, closed later": (H + 'a.png,"Stop\nb.png,Go"\n', two_ways(2)),
    "an open mark, closed later, no endings": ("image,caption\n1,\"Stop\n2,Go\"\n", two_ways(2)),
    "an open mark among quoted rows": (H + 'c.png,"x, y"\na.png,"Stop\nb.png,Go"\n', two_ways(3)),
    "quoted and unquoted mixed": (H + 'a.png,"Stop" sign\nb.png,"A dog"\n', two_ways(3)),
    "doubled without outer marks": (H + 'a.png,""Stop"" sign\n', two_ways(2)),
    "backslashes": (H + 'a.png,"He said \\"hi\\", twice"\n', [("a.png", 'He said "hi", twice')]),
    "unquoted commas": (H + "a.png,A dog, running\n", too_many(2, 3)),
    "unquoted commas in the third": (H + "a.png,x\n\nb.png,A dog, a cat, a cow\n", too_many(4, 4)),
    "commas of empty cells": (H + "a.png,x,,\n", too_many(2, 4)),
    "commas of empty cells, header too": ("image,caption,,\na.png,x,,\nb.png,y\n", [("a.png", "x"), ("b.png", "y")]),
    "text under an empty header": ("image,caption,\na.png,A dog, running\n", too_many(2, 3)),
    "a cell missing": ("image,caption,split\na.png,x,val\nb.png,y\n", "t.csv, line 3 has 2 cells, the header 3"),
    "space before quotes": (H + 'a.png, "A dog, running"\n', [("a.png", "A dog, running")]),
    "space after quotes": (H + 'a.png,"A dog" \n', two_ways(2)),
    "BOM": ("\ufeff" + H + "a.png,Tür\n", [("a.png", "Tür")]),
    "UTF-16": ((H + "a.png,Tür\n").encode("utf-16"), [("a.png", "Tür")]),
    "cp1252": (
        (H + "a.png,x\nb.png,Tür\n").encode("cp1252"),
        "t.csv, line 3, is not in UTF-8; save the table again as CSV UTF-8, or say what it is in, such as "
        "--encoding cp1252",
    ),
    "UTF-16 without a mark": (
        (H + "a.png,x\n").encode("utf-16-le"),
        "t.csv, line 1, has a zero byte: no text in UTF-8",
    ),
    "newlines in quotes": (H + 'a.png,"one\ntwo, three"\nb.png,x\n', [("a.png", "one\ntwo, three"), ("b.png", "x")]),
    "Windows": (H.replace("\n", "\r\n") + 'a.png,"one\r\ntwo"\r\nb.png,x\r\n', [("a.png", "one\r\ntwo"), ("b.png", "x")]),
    "old Mac": ("image,caption\ra.png,x\rb.png,y\r", [("a.png", "x"), ("b.png", "y")]),
    "line after newlines in quotes": (H + 'a.png,"one\ntwo"\nb.png,x,y\n', too_many(4, 3)),
    "Excel's first line": ("sep=;\nimage;caption\na.png;x, y\n", [("a.png", "x, y")]),
    "Flickr30k": (
        "image_name| comment_number| comment\n1.jpg| 0| Two men , one dog .\n1.jpg| 1| Two men .\n",
        [("1.jpg", "Two men , one dog ."), ("1.jpg", "Two men .")],
    ),
    "Flickr30k's broken line": (
        "image_name| comment_number| comment\n1.jpg| 0| A dog\n2.jpg| 4   A dog runs .\n",
        "t.csv, line 3 has no caption",
    ),
    "pandas' index": (",image,caption\n0,a.png,x\n", [("a.png", "x")]),
    "tabs with commas and marks": ('image\tcaption\na.png\tA dog, "Rex"\n', [("a.png", 'A dog, "Rex"')]),
    "more commas than tabs in the header": (
        "image\tcaption\tnote, of, who\na.png\tx\tz\n",
        [("a.png", "x")],
    ),
    "capitals and quoted header": ('"Image","Caption"\n"a.png","x"\n', [("a.png", "x")]),
    "two columns of captions": (
        "filename,title,caption\na.png,T,x\n",
        "t.csv has the columns title and caption; say which holds the captions with --caption-column NAME",
    ),
    "a list in a cell": (
        H + "a.png,\"['A dog', 'A cat']\"\n",
        "t.csv, line 2 holds a list of captions; write one row for each of them",
    ),
    "no image": (H + ",x\n", "t.csv, line 2 has no image"),
    "a path outside": (H + "../a.png,x\n", "t.csv, line 2: the path '../a.png' leads out of the folder, or to no file in it"),
    "Windows path": (H + "sub\\a.png,x\n", [("sub/a.png", "x")]),
    "no header": (
        "a.png,A dog\n",
        "t.csv has no column image or path or file; its first line says: a.png, a dog. Say which it is with "
        "--image-column NAME; if that is a row already, write a line such as image,caption above it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_table_is_read_otherwise(tmp_path, monkeypatch, name):
    content, expected = CASES[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    if isinstance(expected, str):
        with pytest.raises(InputError) as caught:
            read_captions("t.csv")
        assert str(caught.value) == expected
    else:
        assert read_captions("t.csv")[0] == expected


def test_what_is_said_is_not_done(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes((H + 'a.png,"Stop\nb.png,Grün"\n').encode("cp1252"))
    literal = read_captions(path, encoding="cp1252", quoting="none")[0]
    assert literal == [("a.png", '"Stop'), ("b.png", 'Grün"')]
    assert read_captions(path, encoding="cp1252", quoting="csv")[0] == [("a.png", "Stop\nb.png,Grün")]
    path.write_text("filename,title,caption\na.png,T,x\n")
    assert read_captions(path, caption_column="Title")[0] == [("a.png", "T")]
    with pytest.raises(InputError, match="no encoding 'cp12520'"):
        read_captions(path, encoding="cp12520")


def test_marks_taken_as_part_of_captions_are_not_said(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(H + 'a.png,"Stop" sign\n')
    with pytest.warns(GapkitWarning, match="quotation marks are taken as part of the captions"):
        data = load_dataset("csv", root=tmp_path, annotations=path)
    assert data.notes["quoting"] == "none"


def test_several_captions_of_an_image_are_pairs_of_their_own(tmp_path):
    """Pairs of one image twice would make one of two right answers wrong."""
    path = tmp_path / "captions.txt"
    path.write_text("image,caption\na.jpg,A dog .\na.jpg,A brown dog .\nb.jpg,A cat .\na.jpg,Rex .\n")
    message = "captions.txt has 4 captions of 2 images; all are kept, and any of an image's is right"
    with pytest.warns(GapkitWarning, match=message):
        data = load_dataset("csv", root=tmp_path, annotations=path)
    assert data.images.names == ("a.jpg", "b.jpg")
    assert [text for (text,) in data.prompts] == ["A dog .", "A brown dog .", "Rex .", "A cat ."]
    assert data.image_of_text.tolist() == [0, 0, 0, 1]
    message = "captions.txt has 4 captions of 2 images; the first of each image is kept, 2 are left out"
    with pytest.warns(GapkitWarning, match=message):
        data = load_dataset("csv", root=tmp_path, annotations=path, captions="first")
    assert data.prompts == (("A dog .",), ("A cat .",))
    assert data.notes["said"] == [message]


WORDS = st.text(alphabet="ab \"',;|\t\n\\é.", min_size=1, max_size=8).filter(lambda text: text.strip())
PLAIN = WORDS.map(lambda text: " ".join(text.split())).filter(bool)


@settings(max_examples=200)
@given(
    captions=st.lists(WORDS, min_size=1, max_size=5),
    separator=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n"]),
    swapped=st.booleans(),
)
def test_written_tables_come_back_changed(tmp_path, captions, separator, quoting, encoding, end, swapped):
    rows = [(f"{number}.png", caption) for number, caption in enumerate(captions)]
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=end)
    writer.writerows(row[::-1] if swapped else row for row in [("image", "caption"), *rows])
    right_or_refused(tmp_path, file.getvalue().encode(encoding), rows)


@settings(max_examples=200)
@given(
    captions=st.lists(PLAIN, min_size=1, max_size=5),
    separator=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_tables_that_nobody_quoted_come_back_changed(tmp_path, captions, separator, end):
    rows = [(f"{number}.png", caption) for number, caption in enumerate(captions)]
    text = end.join(separator.join(row) for row in [("image", "caption"), *rows])
    # A caption that is one quoted cell is read as one: what stands in the file is plain CSV then.
    right_or_refused(tmp_path, text.encode(), rows, quoted=True)


def right_or_refused(tmp_path, content, rows, *, quoted=False):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    try:
        got = read_captions(path)[0]
    except InputError as fault:
        assert "\n" not in str(fault)  # noqa: PT017
        return
    expected = [(image, caption.strip()) for image, caption in rows]
    if quoted and got != expected:
        expected = [
            (image, next(csv.reader([caption]))[0].strip() if caption.startswith('"') else caption)
            for image, caption in expected
        ]
    assert got == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "image,caption,split\na.png,x,train\nb.png,y,test\n",
            ["t.csv: the rows of all its parts are read, whatever split says (train, test)"],
        ),
        ("image,caption,split\na.png,x,test\nb.png,y,test\n", []),
        (
            "image,caption,caption2\na.png,x,z\nb.png,y,z\n",
            ["left out of t.csv, other columns of captions: caption2; write a row for each caption"],
        ),
        ("id,image,caption\n1,a.png,x\n2,b.png,y\n", []),
    ],
)
def test_parts_and_captions_of_other_columns_are_mixed_in_or_lost_in_silence(tmp_path, content, said):
    path = tmp_path / "t.csv"
    path.write_text(content)
    rows, notes = read_captions(path)
    assert rows == [("a.png", "x"), ("b.png", "y")]
    assert notes.get("said", []) == said


@pytest.mark.parametrize(
    "content", ['{"image": "a.png", "caption": "x"}\n', '[\n {"image": "a.png", "caption": "x"}\n]']
)
def test_json_is_called_a_table_without_a_header(tmp_path, content):
    path = tmp_path / "t.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match="is JSON, no table; write a CSV"):
        read_captions(path)
