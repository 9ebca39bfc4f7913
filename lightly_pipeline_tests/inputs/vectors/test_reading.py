"""Files of vectors: what is read is what was written, and every mistake is told with its place."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightly_pipeline.datasources import LocalDatasource
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.vectors.formats import open_vectors
from lightly_pipeline.inputs.vectors.own import OwnVectors
from lightly_pipeline.inputs.vectors.reading import read_vectors
from lightly_pipeline.layout import frame_name

HEADER = "filenames,embedding_0,embedding_1,labels"
ROWS = ["a-0-mp4.png,1,2,0", "a-1-mp4.png,3.5,-4e-3,0", "b/c-0-mov.png,5,6,0"]


def opened(path: Path) -> OwnVectors:
    return read_vectors(open_vectors(LocalDatasource(path.parent), str(path)))


def csv_of(tmp_path: Path, *lines: str, end: str = "\n") -> Path:
    path = tmp_path / "v.csv"
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def vectors_of(own: OwnVectors, video: str, n_frames: int) -> np.ndarray:
    places = own.match(video, n_frames, np.arange(n_frames)).places
    vectors = np.full((n_frames, own.dim), np.nan, np.float32)
    found = np.empty(((places >= 0).sum(), own.dim), np.float32)
    own.read_into(places[places >= 0], found)
    vectors[places >= 0] = found
    return vectors


def refused(path: Path) -> str:
    with pytest.raises(LightlyPipelineError) as raised:
        opened(path)
    assert str(path.parent) in str(raised.value)
    return str(raised.value)


floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(
    st.integers(1, 5).flatmap(
        lambda dim: st.lists(st.lists(floats, min_size=dim, max_size=dim), min_size=1, max_size=30)
    ),
    st.randoms(use_true_random=False),
)
def test_every_format_gives_the_same_numbers_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[float]], random: Any
) -> None:
    folder = tmp_path_factory.mktemp("v")
    names = [frame_name("x y/ü.mp4", index, 40, "png") for index in range(len(rows))]
    order = list(range(len(rows)))
    random.shuffle(order)
    matrix = np.array(rows, np.float32)
    shuffled, called = matrix[order], [names[place] for place in order]
    np.save(folder / "v.npy", shuffled)
    (folder / "v.txt").write_text("\n".join(called))
    columns = {f"embedding_{number}": shuffled[:, number] for number in range(matrix.shape[1])}
    pq.write_table(pa.table({"filenames": called, **columns}), folder / "wide.parquet")
    lists = {"filenames": called, "embedding": pa.array(list(shuffled), pa.list_(pa.float32()))}
    pq.write_table(pa.table(lists), folder / "lists.parquet")
    lines = [",".join(["filenames", *columns, "labels"])]
    lines += [
        ",".join([name, *(repr(number.item()) for number in row), "0"])
        for name, row in zip(called, shuffled, strict=True)
    ]
    csv_of(folder, *lines)
    ids = set()
    for name in ("v.npy", "wide.parquet", "lists.parquet", "v.csv"):
        own = opened(folder / name)
        found = vectors_of(own, "x y/ü.mp4", 40)
        assert found[: len(rows)].tobytes() == matrix.tobytes()
        assert np.isnan(found[len(rows) :]).all()
        ids.add(own.embedding_id)
    assert len(ids) == 1


def test_bom_line_ends_and_columns_in_any_order_make_no_difference(tmp_path: Path) -> None:
    wanted = opened(csv_of(tmp_path, HEADER, *ROWS)).embedding_id
    marked = csv_of(tmp_path, "\ufeff" + HEADER, *ROWS, "", end="\r\n")
    assert opened(marked).embedding_id == wanted
    turned = ["labels,embedding_1,embedding_0,filenames", "0,2,1,a-0-mp4.png"]
    turned += ["0,-0.004,3.5,a-1-mp4", "0,6,5,b/c-0-mov.JPG"]
    assert opened(csv_of(tmp_path, *turned)).embedding_id == wanted


def test_marks_are_read_and_do_not_change_what_the_vectors_are(tmp_path: Path) -> None:
    lines = [
        "filenames,embedding_0,masked,selected",
        "a-0-mp4,1,0,1",
        "a-1-mp4,2,1.0,",
        "a-2-mp4,3,,",
    ]
    own = opened(csv_of(tmp_path, *lines))
    match = own.match("a.mp4", 9, np.arange(4))
    assert match.places.tolist() == [0, 1, 2, -1]
    assert match.masked.tolist() == [False, True, False, False]
    assert match.selected.tolist() == [True, False, False, False]
    plain = ["filenames,embedding_0", "a-0-mp4,1", "a-1-mp4,2", "a-2-mp4,3"]
    assert opened(csv_of(tmp_path, *plain)).embedding_id == own.embedding_id
    table = {"filenames": ["a-0-mp4", "a-1-mp4"], "embedding_0": [1.0, 2.0]}
    table |= {"selected": [True, False], "masked": [0, 1]}
    pq.write_table(pa.table(table), tmp_path / "v.parquet")
    match = opened(tmp_path / "v.parquet").match("a.mp4", 9, np.arange(2))
    assert (match.masked.tolist(), match.selected.tolist()) == ([False, True], [True, False])


@pytest.mark.parametrize(
    ("video", "index", "n_frames"),
    [
        ("a.mp4", 7, 8),
        ("day 1/front-07.mp4", 123, 1800),
        ("é/ü-0-mp4.mov", 0, 1),
        ("x\ny/z.mp4", 3, 100),
        ("%41.mp4", 3, 100),
        ("n" * 240 + ".mp4", 5, 100),
        ("n" * 300 + ".mp4", 5, 100),
    ],
)
def test_a_frame_is_found_by_the_name_of_its_image_and_by_no_other(
    tmp_path: Path, video: str, index: int, n_frames: int
) -> None:
    name = frame_name(video, index, n_frames, "png")
    np.save(tmp_path / "v.npy", np.ones((1, 3), np.float32))
    (tmp_path / "v.txt").write_text(name + "\n")
    own = opened(tmp_path / "v.npy")
    assert own.match(video, n_frames, np.array([index])).places.tolist() == [0]
    assert own.match(video, 10 * n_frames, np.array([index])).places.tolist() == [-1]
    assert own.match("other.mp4", n_frames, np.array([index])).places.tolist() == [-1]
    assert own.may_speak_of([video])
    assert own.strangers([(video, n_frames)]).count == 0
    assert own.strangers([(video, 10 * n_frames)]).count == 1


def test_names_of_no_frame_are_counted_and_found_again(tmp_path: Path) -> None:
    lines = [HEADER, "", "nothing,1,2,0", "", *ROWS, "a-9-mp4,7,8,0"]
    own = opened(csv_of(tmp_path, *lines))
    strangers = own.strangers([("a.mp4", 5), ("d.mp4", 5)])
    assert strangers.count == 3
    assert strangers.first == ["line 3: nothing", "line 7: b/c-0-mov", "line 8: a-9-mp4"]
    assert not own.may_speak_of(["d.mp4"])


def test_a_frame_that_is_there_twice_counts_once_if_its_vectors_are_equal(tmp_path: Path) -> None:
    own = opened(csv_of(tmp_path, HEADER, *ROWS, "a-0-mp4.jpg,1.0,2,7"))
    assert (own.n_rows, own.doubles.count) == (4, 1)
    assert own.doubles.first == ["line 5: a-0-mp4, as line 2"]
    assert own.match("a.mp4", 2, np.arange(2)).places.tolist() == [0, 1]
    said = refused(csv_of(tmp_path, HEADER, *ROWS, "a-0-mp4.png,1,2.5,0"))
    assert "1 rows give a frame another vector" in said
    assert "line 5: a-0-mp4, as line 2" in said
    marked = ["filenames,embedding_0,selected", "a-0-mp4,1,0", "a-0-mp4,1,1"]
    assert "or other marks" in refused(csv_of(tmp_path, *marked))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [HEADER, *ROWS, "a-2-mp4,nan,1,0", "a-3-mp4,1,-inf,0"],
            "2 rows have numbers that are not "
            "finite: line 5: embedding_0 is nan; line 6: embedding_1 is -inf",
        ),
        (
            [HEADER, *ROWS, "", "a-2-mp4,1,0"],
            "1 rows have another number of values than the others: line 6: 3 values for 4 columns",
        ),
        (
            [HEADER, *ROWS, "a-2-mp4,1,,0", "a-3-mp4,one,1,0"],
            "2 values are no numbers: line 5: embedding_1 is ''; line 6: embedding_0 is 'one'",
        ),
        ([HEADER, *ROWS, "a-2-mp4,x,1,0", "a-3-mp4,nan,1,0", "a"], "1 rows have another"),
        ([HEADER + ",masked", ROWS[0] + ",2"], "line 2: masked is '2', not 0 or 1"),
        ([HEADER], "has no rows"),
        ([], "is empty"),
        (["names,embedding_0", "a,1"], "no column filenames.*it has names, embedding_0$"),
        (["filename,embedding_0", "a,1"], "no column filenames.*it has filename, embedding_0$"),
        (["filenames;embedding_0", "a;1"], "no column filenames"),
        (
            ["filenames,x,y", "a,1,2"],
            "no columns embedding_0, embedding_1, ...; it has filenames, x, y$",
        ),
        (
            ["filenames,embedding_0,embedding_2", "a,1,2"],
            "no column embedding_1, though there is embedding_2",
        ),
        (["filenames,embedding_0,embedding_0", "a,1,2"], "column 'embedding_0' is there twice"),
    ],
)
def test_mistakes_in_csv_are_told_with_line_and_column(
    tmp_path: Path, lines: list[str], said: str
) -> None:
    assert re.search(said, refused(csv_of(tmp_path, *lines)))


def test_csv_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text("\n".join([HEADER, *ROWS]), encoding="utf-16")
    assert "no text in UTF-8" in refused(path)
    path.write_text("\n".join([HEADER, *ROWS, "ü-0-mp4,1,2,0"]), encoding="latin-1")
    assert "line 5 is no text in UTF-8" in refused(path)


def parquet(**columns: Any) -> Callable[[Path], None]:
    return lambda path: pq.write_table(pa.table(columns), path)


NAMES = ["a-0-mp4", "a-1-mp4"]


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (parquet(filenames=NAMES, embedding=[[1.0, 2.0], [1.0]]), "row 1: 1 values, others have 2"),
        (parquet(filenames=NAMES, embedding=[[1.0, 2.0], None]), "row 1: no list"),
        (parquet(filenames=NAMES, embedding=[[1.0], [None]]), r"row 1: embedding\[0\] is missing"),
        (
            parquet(filenames=NAMES, embedding=pa.array([[], []], pa.list_(pa.float32()))),
            "row 0: embedding has no numbers",
        ),
        (parquet(filenames=NAMES, embedding=[[1.0], [np.inf]]), r"row 1: embedding\[0\] is inf"),
        (parquet(filenames=NAMES, embedding_0=[1.0, None]), "row 1: embedding_0 is missing"),
        (parquet(filenames=NAMES, embedding_0=["1", "2"]), "embedding_0 is string, not a number"),
        (parquet(filenames=NAMES, embedding=[1.0, 2.0]), "embedding is double, not a list"),
        (parquet(filenames=[1, 2], embedding_0=[1.0, 2.0]), "filenames is int64, not text"),
        (parquet(filenames=["a-0-mp4", None], embedding_0=[1.0, 2.0]), "row 1: filenames is miss"),
        (parquet(names=NAMES, embedding_0=[1.0, 2.0]), "no column filenames"),
        (parquet(filenames=NAMES, vectors=[1.0, 2.0]), "or one column embedding of lists"),
        (
            parquet(filenames=pa.array([], pa.string()), embedding_0=pa.array([], pa.float32())),
            "has no rows",
        ),
        (lambda path: path.write_bytes(b"no"), "is no Parquet file"),
        (lambda path: path.write_bytes(b""), "is no Parquet file"),
    ],
)
def test_mistakes_in_parquet_are_told_with_row_and_column(
    tmp_path: Path, write: Callable[[Path], None], said: str
) -> None:
    write(tmp_path / "v.parquet")
    assert re.search(said, refused(tmp_path / "v.parquet"))


@pytest.mark.parametrize("kind", ["<f2", "<f4", ">f4", "<f8", "<i2", "|u1"])
def test_npy_of_any_kind_of_number_is_read(tmp_path: Path, kind: str) -> None:
    np.save(tmp_path / "v.npy", np.array([[1, 2], [3, 4]], kind))
    (tmp_path / "v.txt").write_bytes(b"\xef\xbb\xbfa-0-mp4.png\r\na-1-mp4.png\r\n")
    assert vectors_of(opened(tmp_path / "v.npy"), "a.mp4", 2).tolist() == [[1, 2], [3, 4]]


def npy_of(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


GOOD = npy_of(np.ones((2, 3), np.float32))


@pytest.mark.parametrize(
    ("content", "names", "said"),
    [
        (GOOD, None, "needs .*v.txt beside it, which does not exist"),
        (GOOD, "a-0-mp4\n", "no name in line 2"),
        (GOOD, "a-0-mp4\na-1-mp4\na-2-mp4\n", "more names than the 2 rows"),
        (GOOD[:-4], "a-0-mp4\na-1-mp4\n", "ends before its 2 rows"),
        (npy_of(np.ones(3)), "a-0-mp4\n", r"shape \(3,\)"),
        (npy_of(np.ones((2, 3), order="F")), "a\nb\n", "order of columns"),
        (npy_of(np.array([["a"]])), "a\n", "matrix of numbers"),
        (npy_of(np.array([[{}]], object)), "a\n", "matrix of numbers"),
        (npy_of(np.full((1, 2), np.nan)), "a-0-mp4\n", "row 0: column 0 is nan"),
        (b"", "a\n", "is no .npy file"),
        (b"\x93NUMPY\x09\x00", "a\n", "is no .npy file"),
        (npy_of(np.ones((0, 2))), "", "has no rows"),
    ],
)
def test_mistakes_in_npy_are_told(
    tmp_path: Path, content: bytes, names: str | None, said: str
) -> None:
    (tmp_path / "v.npy").write_bytes(content)
    if names is not None:
        (tmp_path / "v.txt").write_text(names)
    assert re.search(said, refused(tmp_path / "v.npy"))


def test_a_file_that_is_not_there_is_named_and_one_in_lightly_is_pointed_to(tmp_path: Path) -> None:
    lightly = LocalDatasource(tmp_path)
    for written in (".lightly/embeddings/v.csv", "v.csv", str(tmp_path / "gone" / "v.csv")):
        with pytest.raises(LightlyPipelineError, match=r"embeddings needs .*v\.csv.*not exist$"):
            open_vectors(lightly, written)
    lightly.write(".lightly/embeddings/v.csv", "\n".join([HEADER, *ROWS]).encode())
    assert open_vectors(lightly, ".lightly/embeddings/v.csv").dim == 2
    with pytest.raises(LightlyPipelineError, match=r"write \.lightly/embeddings/v\.csv for the"):
        open_vectors(lightly, "v.csv")


def test_zero_and_masked_rows_are_wrong_only_where_they_would_be_compared(tmp_path: Path) -> None:
    header = HEADER + ",masked"
    path = csv_of(tmp_path, header, "a-0-mp4,1,2,0,0", "a-1-mp4,0,0,0,0", "a-2-mp4,nan,0,0,1")
    file = open_vectors(LocalDatasource(tmp_path), str(path))
    assert read_vectors(file, normalize=False).n_rows == 3
    file = open_vectors(LocalDatasource(tmp_path), str(path))
    with pytest.raises(LightlyPipelineError, match=r"1 rows are all zero, .*unit length: line 3$"):
        read_vectors(file, normalize=True)


def test_numbers_that_float32_cannot_hold_are_told(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.array([[1.0], [1e39]]))
    (tmp_path / "v.txt").write_text("a-0-mp4\na-1-mp4")
    assert "row 1: column 0 is inf" in refused(tmp_path / "v.npy")
    assert "line 3: embedding_0" in refused(
        csv_of(tmp_path, "filenames,embedding_0", "a-0-mp4,1", "a-1-mp4,1e39")
    )
