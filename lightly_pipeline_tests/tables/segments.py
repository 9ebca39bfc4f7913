"""Whether a video's table is the same made of segments as in one pass; `make segments` tries many.

The tests try a few. Prints what was met, and exits with an error where a table differs.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lightly_pipeline.datasources import LocalDatasource
from lightly_pipeline.embedding import CheckedEncoder, encoder_spec, load_encoder
from lightly_pipeline.tables.build import TableBuilder
from lightly_pipeline.tables.embeddings import EMBEDDINGS_FILE
from lightly_pipeline.tables.frames import FRAMES_FILE
from lightly_pipeline.threads import ContextThreadPool
from lightly_pipeline.video import reasons
from lightly_pipeline.video.segments import SegmentLength
from lightly_pipeline_tests.support.long_streams import long_stream

NO_LENGTH, ANY_LENGTH = SegmentLength(1e9, 1 << 60), SegmentLength(0.5, 1)
_ENCODER = load_encoder(encoder_spec())
# What differs between two passes in any case.
_OF_ONE_RUN = ("seconds", "requests", "bytes_read")
_ONE_PASS = reasons.ONE_PASS(why="")


class Listener:
    """Hears of decoded frames, as the meter of a video does."""

    def __init__(self, on_frames: Callable[[int], object] = lambda _: None) -> None:
        self.add = on_frames

    def expect(self, total: int | None) -> None:
        """Nothing is made of it."""

    def restart(self) -> None:
        """Nothing is made of it."""


@dataclass(frozen=True)
class Table:
    """A table with all that was said of its video.

    Attributes:
        files: Contents of the rows' and the embeddings' file; none without frames.
        outcome: The stored one, but for what differs from run to run.
        one_pass_because: Why segments would not do.
        n_segments: How many there were.
    """

    files: tuple[bytes, ...]
    outcome: dict[str, Any]
    one_pass_because: str | None
    n_segments: int


def table_of(
    path: Path,
    store: Path,
    length: SegmentLength,
    n_threads: int = 2,
    encoder: CheckedEncoder = _ENCODER,
) -> Table:
    """Makes the table of a video.

    Args:
        path: The video.
        store: An empty folder.
        length: Of segments.
        n_threads: That work on them.
        encoder: Of the table.
    """
    source, target = LocalDatasource(path.parent), LocalDatasource(store)
    builder = TableBuilder(source, target, lambda: encoder, "id", "ffmpeg", segment_length=length)
    video = source.stat(path.name)
    assert video is not None
    with ContextThreadPool(n_threads) as pool:
        builder.build(video, Listener(), pool.spare)  # type: ignore[arg-type]
    table = builder.table(video)
    outcome = table.outcome()
    assert outcome is not None
    said = [line for line in outcome.warnings if line.startswith(_ONE_PASS)]
    document = {k: v for k, v in asdict(outcome).items() if k not in _OF_ONE_RUN}
    document["warnings"] = [line for line in outcome.warnings if line not in said]
    names = () if outcome.is_corrupt else (FRAMES_FILE, EMBEDDINGS_FILE)
    return Table(
        tuple(target.read(f"{table.folder}/{name}") for name in names),
        json.loads(json.dumps(document)),
        said[0].removeprefix(_ONE_PASS) if said else None,
        len(list(target.list(f"{table.folder}/segments/"))),
    )


def compared(
    path: Path, length: SegmentLength = ANY_LENGTH, encoder: CheckedEncoder = _ENCODER
) -> Table:
    """Returns the table by segments, after comparing it with that of one pass."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        whole = table_of(path, Path(one), NO_LENGTH, encoder=encoder)
        segmented = table_of(path, Path(other), length, encoder=encoder)
    assert segmented.outcome == whole.outcome, path
    assert segmented.files == whole.files, path
    return segmented


def main(seeds: Sequence[int]) -> int:
    """Compares the tables of generated streams; returns how many differ."""
    met: Counter[str] = Counter()
    wrong = []
    with TemporaryDirectory() as folder:
        for seed in seeds:
            stream = long_stream(seed)
            path = stream.make(Path(folder))
            try:
                table = compared(path)
            except AssertionError:
                wrong.append(stream)
                continue
            finally:
                path.unlink()
            how = "in segments" if table.n_segments else "in one pass, for it has no place to cut"
            how = f"in one pass: {table.one_pass_because}" if table.one_pass_because else how
            met[f"{'whole' if stream.damage == 'none' else 'damaged'}, {how}"] += 1
    for line, count in sorted(met.items()):
        print(f"{count:5} {line}")
    for stream in wrong:
        print("DIFFERENT:", stream)
    return len(wrong)


if __name__ == "__main__":
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    sys.exit(min(main(range(n)), 1))
