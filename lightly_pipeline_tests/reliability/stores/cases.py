"""The matrix of a store's faults: what happens to which request, and what a user sees of it.

Rows are numbered as in docs/reliability.md. Each is run through the whole chain
(`test_store_matrix.py`); what needs more than a fault in a request has a test of its own there.
"""

from dataclasses import dataclass

from lightly_pipeline_tests.support.faults import Fault

LISTING = r"GET [^?]*\?list-type=2&prefix=\w+%2Fin"
RAW = "GET .*/in/raw.avi"
FIRST = "GET .*/in/a.mp4"
IMAGE = "PUT .*/frames/"
TABLE = r"PUT .*/(frames\.parquet|embeddings\.npy)"
OUTCOME = "PUT .*/outcome.json"
MANIFEST = "PUT .*/manifest.json"
LATE = r"(/frames/|images\.json|manifest\.json|/tags/)"
READ_TABLE = r"GET .*/tables/.*/(frames\.parquet|embeddings\.npy)"
READ_OUTCOME = "GET .*/outcome.json"
ALWAYS = 10_000
PATIENT_S, IMPATIENT_S = 60.0, 0.7


@dataclass(frozen=True)
class Case:
    """One fault.

    Attributes:
        row: Of the matrix.
        name: The fault in words.
        faults: What the proxy does.
        says: What the user is told, as a regular expression; nothing where the fault passes.
        patience_s: `store_patience_s`.
        is_impatient: Whether the client waits a second for an answer instead of 30.
    """

    row: int
    name: str
    faults: tuple[Fault, ...]
    says: str = ""
    patience_s: float = PATIENT_S
    is_impatient: bool = False

    @property
    def id(self) -> str:
        """Row and fault, as the test is called."""
        return f"{self.row}-{self.name}"


def _same(row: int, name: str, *faults: Fault, is_impatient: bool = False) -> Case:
    return Case(row, name, faults, is_impatient=is_impatient)


def _fails(
    row: int,
    name: str,
    says: str,
    *faults: Fault,
    patience_s: float = IMPATIENT_S,
    is_impatient: bool = False,
) -> Case:
    return Case(row, name, faults, says, patience_s, is_impatient)


def _without(row: int, name: str, says: str, *faults: Fault) -> Case:
    return Case(row, name, faults, says, IMPATIENT_S)


def _page(match: str, **more: object) -> Fault:
    return Fault("page", match, **more)  # type: ignore[arg-type]


def _error(match: str, status: int, code: str, **more: object) -> Fault:
    return Fault("status", match, status=status, code=code, **more)  # type: ignore[arg-type]


_OTHER_RANGE = {"Content-Range": "bytes 7-1048582/7000000"}
_FLIPS = tuple(Fault("flip", RAW, skip=int(n == 0), at=90_000 + 777 * n) for n in range(40))
_OTHER_SIZE = {"Content-Range": "bytes 0-1048575/7000000"}

# Faults that pass: the result is that of a run without them. Each fault of a case happens.
READING = (
    _same(
        1,
        "503 twice",
        Fault("status", RAW, times=2, skip=1),
        Fault("status", IMAGE, times=2),
    ),
    _same(2, "503 six times", Fault("status", RAW, times=6)),
    _same(
        4,
        "500, 429, 400 RequestTimeout and 502",
        _error(RAW, 500, "InternalError"),
        _error(RAW, 429, "TooManyRequests"),
        _error(RAW, 400, "RequestTimeout"),
        _page(RAW, status=502, times=2),
        _error(TABLE, 500, "InternalError", times=2),
    ),
    _same(
        5,
        "connections reset",
        Fault("reset", RAW, times=2),
        Fault("reset", LISTING, times=2),
        Fault("reset", IMAGE, times=2),
    ),
    _same(
        6,
        "no answer",
        Fault("hang", RAW),
        Fault("hang", LISTING, skip=1),
        Fault("hang", IMAGE),
        is_impatient=True,
    ),
    _same(
        7,
        "bodies cut",
        Fault("truncate", RAW, times=2),
        Fault("truncate", READ_TABLE, times=2),
        Fault("truncate", READ_OUTCOME, skip=4),
    ),
    _same(8, "body stalls", Fault("stall", RAW, skip=1), is_impatient=True),
    _same(
        9,
        "short bodies that say they are all",
        Fault("short", RAW, times=2),
        Fault("short", READ_TABLE, times=2),
        Fault("short", READ_OUTCOME, skip=4),
    ),
    _same(
        10,
        "bytes of videos turned over",
        Fault("flip", FIRST, skip=1, at=5),
        Fault("flip", RAW, skip=1, at=700_001),
    ),
    _same(10, "byte turned over in frames fetched again", Fault("flip", RAW, skip=3, at=30_000)),
    _same(
        11,
        "bytes of own files turned over",
        Fault("flip", READ_OUTCOME, skip=4, at=30),
        Fault("flip", "GET .*/embeddings.npy", at=700),
        Fault("flip", "GET .*/frames.parquet", at=99),
        Fault("flip", "GET .*/selection.json", at=9),
    ),
    _same(26, "listing cut", Fault("truncate", LISTING, times=2)),
    _same(
        36,
        "pages in place of what is read",
        _page(LISTING, times=2),
        _page(RAW, times=2),
        _page(RAW, status=404),
        _page(RAW, status=403),
        _page(READ_TABLE, times=2),
        _page(READ_OUTCOME, times=2),
    ),
    _same(
        37,
        "parts that were not asked for",
        Fault("whole", RAW),
        Fault("with", RAW, headers=_OTHER_RANGE),
        Fault("with", RAW, headers={"Content-Range": ""}),
        # Once the size is known.
        Fault("with", RAW, headers=_OTHER_SIZE, skip=1),
    ),
    _same(
        37,
        "versions that are none",
        Fault("with", RAW, headers={"Etag": ""}, times=2),
        Fault("with", RAW, headers={"Etag": '"other"'}, skip=1),
    ),
)

WRITING = (
    _same(
        12,
        "bodies of puts cut",
        Fault("cut sent", IMAGE, times=2),
        Fault("cut sent", TABLE, times=2),
    ),
    _same(
        14,
        "answers to puts lost",
        Fault("lost answer", IMAGE, times=2),
        Fault("lost answer", TABLE, times=2),
        Fault("lost answer", OUTCOME, times=2),
        Fault("lost answer", MANIFEST, times=2),
        Fault("lost answer", "PUT .*/tags/"),
    ),
    _same(
        15,
        "409 on conditional puts",
        _error(IMAGE, 409, "ConditionalRequestConflict", times=2),
        _error(MANIFEST, 409, "OperationAborted"),
    ),
    _same(
        36,
        "pages in answer to what is written",
        _page("PUT .*/tables/", times=2),
        _page(IMAGE, times=2),
        _page("HEAD .*/frames/", body=b"", times=2),
    ),
)

# Faults that last: the run ends with a message and leaves nothing that looks like a result.
LASTING = (
    _fails(3, "503 storm", "throttled.*fewer threads", Fault("status", ".", times=ALWAYS, skip=30)),
    _fails(5, "store gone while reading", "does not answer", Fault("reset", ".", ALWAYS, skip=17)),
    _fails(5, "store gone while storing", "does not answer", Fault("reset", LATE, ALWAYS)),
    _fails(
        6,
        "store silent",
        "does not answer",
        Fault("hang", ".", ALWAYS, skip=20),
        is_impatient=True,
    ),
    _fails(
        6,
        "listing silent",
        "cannot list.*does not answer",
        Fault("hang", LISTING, ALWAYS, skip=1),
        is_impatient=True,
    ),
    _fails(7, "bodies always cut", "cannot read .*raw.avi", Fault("truncate", RAW, ALWAYS)),
    _fails(
        13, "uploads always damaged", "BadDigest", _error(IMAGE, 400, "BadDigest", times=ALWAYS)
    ),
    _fails(26, "listing always cut", "cannot list", Fault("truncate", LISTING, ALWAYS, skip=1)),
    _fails(
        28,
        "token expires in mid-run",
        "the session token has expired.*log in again",
        _error(".", 400, "ExpiredToken", times=ALWAYS, skip=40),
    ),
    _fails(
        28,
        "images are forbidden",
        "cannot write .*/frames/.*do not allow it.*s3:PutObject",
        _error(IMAGE, 403, "AccessDenied", times=ALWAYS),
    ),
    _fails(
        31,
        "store is full",
        "the store is full.*make room",
        _error(IMAGE, 507, "XMinioStorageFull", times=ALWAYS),
    ),
    _fails(
        36,
        "pages in place of everything",
        "something else answers in the store's place",
        _page(".", times=ALWAYS, skip=25),
    ),
    _fails(
        37,
        "a store that ignores ranges",
        "whole objects where a part is asked for",
        Fault("whole", RAW, ALWAYS),
    ),
)

# One video cannot be had: it is named, the others are done.
ONE_VIDEO = (
    _without(38, "forbidden", "do not allow it", _error(RAW, 403, "AccessDenied", times=ALWAYS)),
    _without(38, "throttled", "throttled for longer", Fault("status", RAW, ALWAYS)),
    _without(38, "always cut", "does not answer", Fault("truncate", RAW, ALWAYS)),
    _without(38, "always a page", "in the store's place", _page(RAW, times=ALWAYS)),
    _without(38, "other bytes each time", "differs each time", *_FLIPS),
    _without(
        38, "archived", "it is archived", _error(RAW, 403, "InvalidObjectState", times=ALWAYS)
    ),
)
