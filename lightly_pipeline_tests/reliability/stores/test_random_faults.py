"""Faults that nobody thought of together: drawn by number, so that each can be drawn again.

`LIGHTLY_PIPELINE_FAULT_PLANS=300` draws so many instead of the few that every run of the suite
draws; `LIGHTLY_PIPELINE_FIRST_FAULT_PLAN` says from which number on.
"""

import os
import random
from collections.abc import Callable

import pytest

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline_tests.reliability.stores.cases import (
    ALWAYS,
    FIRST,
    IMAGE,
    IMPATIENT_S,
    LATE,
    LISTING,
    MANIFEST,
    OUTCOME,
    PATIENT_S,
    RAW,
    READ_OUTCOME,
    READ_TABLE,
    TABLE,
)
from lightly_pipeline_tests.reliability.stores.conftest import SECRET, MakeChain
from lightly_pipeline_tests.support.faults import Fault

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
_N_PLANS = int(os.environ.get("LIGHTLY_PIPELINE_FAULT_PLANS", "8"))
_FIRST_PLAN = int(os.environ.get("LIGHTLY_PIPELINE_FIRST_FAULT_PLAN", "0"))
_REQUESTS = (
    *(LISTING, RAW, FIRST, READ_OUTCOME, READ_TABLE),
    *(IMAGE, TABLE, OUTCOME, MANIFEST, LATE),
    *("GET", "PUT", "HEAD", "/tags/", "/runs/", "attempt", "catalog", "."),
)
_ERRORS = (
    *((503, "SlowDown"), (500, "InternalError"), (429, "TooManyRequests")),
    *((400, "RequestTimeout"), (403, "AccessDenied"), (404, "NoSuchKey"), (412, "Precondition")),
    *((409, "OperationAborted"), (400, "ExpiredToken"), (416, "InvalidRange"), (502, "Bad")),
)
_HEADERS: tuple[dict[str, str], ...] = (
    {"Content-Range": ""},
    {"Content-Range": "bytes 3-9/100"},
    {"Etag": ""},
    {"Etag": '"other"'},
    {"Content-Type": "text/html"},
)
_Draw = Callable[[random.Random], dict[str, object]]
# What each kind needs besides; those that keep a client waiting for a second are rare.
_KINDS: dict[str, tuple[int, _Draw]] = {
    "status": (4, lambda draw: dict(zip(("status", "code"), draw.choice(_ERRORS), strict=True))),
    "reset": (3, lambda _: {}),
    "truncate": (3, lambda _: {}),
    "short": (3, lambda _: {}),
    "lost answer": (3, lambda _: {}),
    "page": (3, lambda draw: {"status": draw.choice((200, 403, 404, 502, 503))}),
    "flip": (4, lambda draw: {"at": draw.randrange(2_000_000)}),
    "whole": (1, lambda _: {}),
    "with": (3, lambda draw: {"headers": draw.choice(_HEADERS)}),
    "slow": (1, lambda _: {"at": 50}),
    "cut sent": (2, lambda _: {}),
    "hang": (1, lambda _: {}),
    "stall": (1, lambda _: {}),
}


def drawn(number: int) -> tuple[list[Fault], bool]:
    """Returns the faults of a plan, and whether they last."""
    draw = random.Random(number)
    lasts = draw.random() < 0.25
    kinds = draw.choices(list(_KINDS), [weight for weight, _ in _KINDS.values()], k=3)
    faults = [
        Fault(
            kind,  # type: ignore[arg-type]
            draw.choice(_REQUESTS),
            times=ALWAYS if lasts and place == 0 else draw.randint(1, 3),
            skip=draw.choice((0, 0, 1, 2, 4, 8, 16)),
            **_KINDS[kind][1](draw),  # type: ignore[arg-type]
        )
        for place, kind in enumerate(kinds[: draw.randint(1, 3)])
    ]
    return faults, lasts


@pytest.mark.parametrize("number", range(_FIRST_PLAN, _FIRST_PLAN + _N_PLANS))
def test_whatever_a_store_does_nothing_is_lost_or_made_up(
    make_chain: MakeChain, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    chain = make_chain(is_impatient=True)
    faults, lasts = drawn(number)
    chain.proxy.add(*faults)
    try:
        result = chain.run(patience_s=IMPATIENT_S if lasts else PATIENT_S)
    except LightlyPipelineError as error:
        said = str(error)
        n_runs = chain.check_ended(error)
    else:
        said, n_runs = "", 1
        chain.check(result, without=frozenset(result.failed_videos))
    assert SECRET not in said + caplog.text
    chain.check_input_untouched()
    chain.proxy.clear()
    again = chain.run()
    chain.check(again)
    assert len(chain.stored(".lightly/tags/")) <= n_runs + 1
