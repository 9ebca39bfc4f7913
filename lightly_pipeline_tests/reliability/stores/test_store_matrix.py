"""Every fault of a store, through the whole chain: what a user sees, and what must never be."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lightly_pipeline.errors import DatasourceError
from lightly_pipeline_tests.reliability.stores.cases import (
    LASTING,
    ONE_VIDEO,
    READING,
    WRITING,
    Case,
)
from lightly_pipeline_tests.reliability.stores.conftest import SECRET, MakeChain
from lightly_pipeline_tests.support.faults import Fault

# What hangs fails; no test is about seconds.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("case", [*READING, *WRITING], ids=lambda case: case.id)
def test_a_passing_fault_changes_nothing(
    make_chain: MakeChain, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    chain = make_chain(is_impatient=case.is_impatient)
    faults = fresh(case)
    chain.proxy.add(*faults)
    result = chain.run(patience_s=case.patience_s)
    assert not any(fault.times for fault in faults), "the fault happened"
    chain.check(result)
    chain.check_input_untouched()
    assert SECRET not in caplog.text


@pytest.mark.parametrize("case", LASTING, ids=lambda case: case.id)
def test_a_lasting_fault_is_named_and_the_next_run_completes(
    make_chain: MakeChain, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    chain = make_chain(is_impatient=case.is_impatient)
    chain.proxy.add(*fresh(case))
    with pytest.raises(DatasourceError, match=case.says) as caught:
        chain.run(patience_s=case.patience_s)
    assert SECRET not in str(caught.value) + caplog.text
    chain.check_input_untouched()
    chain.proxy.clear()
    chain.check_failure(caught.value)
    chain.check(chain.run())


@pytest.mark.parametrize("case", ONE_VIDEO, ids=lambda case: case.id)
def test_a_video_that_cannot_be_had_is_named_and_the_others_are_done(
    make_chain: MakeChain, case: Case
) -> None:
    chain = make_chain()
    chain.proxy.add(*fresh(case))
    if case.name == "forbidden":
        with pytest.raises(DatasourceError, match=f"all others are done.*raw.avi.*{case.says}"):
            chain.run(patience_s=case.patience_s)
    options = {"store_patience_s": case.patience_s, "allow_incomplete": True}
    chain.proxy.clear()
    chain.proxy.add(*fresh(case))
    result = chain.run(pipeline_config=options)
    assert re.search(case.says, result.failed_videos["raw.avi"])
    chain.check(result, without=frozenset({"raw.avi"}))
    chain.proxy.clear()
    result = chain.run()
    assert result.n_decoded_videos == 1, "the others were done"
    chain.check(result)


def fresh(case: Case) -> list[Fault]:
    """Returns the faults of a case, none of which has happened yet."""
    return [replace(fault) for fault in case.faults]


def test_the_page_has_every_case() -> None:
    """A row without a test would be a claim, a test without a row would not be found."""
    root = Path(__file__).parents[3]
    page = (root / "docs" / "reliability.md").read_text()
    cases = {case.id for case in (*READING, *WRITING, *LASTING, *ONE_VIDEO)}
    tests = {
        name
        for module in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", module.read_text(), re.MULTILINE)
        if module.name != Path(__file__).name
    }
    assert not {name for name in cases | tests if f"`{name}`" not in page}
    section = page[page.index("## Faults of a store") : page.index("## Processes and machines")]
    assert not set(re.findall(r"`(test_\d\w+|\d+-[^`]+)`", section)) - cases - tests
