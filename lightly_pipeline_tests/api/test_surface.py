"""The client has the original's methods, or says why not; the documentation lists them all."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lightly_pipeline.api import ApiWorkflowClient, MethodNotSupportedError
from lightly_pipeline.api.absent import ABSENT

FOLDER = Path(__file__).parent
ORIGINAL = (FOLDER / "original_methods.txt").read_text().split("\n")[:-1]
NAMES = {line.partition("(")[0] for line in ORIGINAL}
DOCUMENT = FOLDER.parents[1] / "docs" / "from-lightly.md"


def test_every_method_of_the_original_is_there_or_named_as_absent() -> None:
    here = {name for name in dir(ApiWorkflowClient) if not name.startswith("_")}
    assert NAMES - here == set(ABSENT)
    assert here - NAMES == {"wait_for_run"}


@pytest.mark.parametrize("line", [line for line in ORIGINAL if "(" in line])
def test_a_method_takes_the_original_s_arguments_in_their_order(line: str) -> None:
    name, _, rest = line.partition("(")
    if name in ABSENT:
        return
    wanted = [argument for argument in rest.rstrip(")").split(", ") if argument]
    ours = list(inspect.signature(getattr(ApiWorkflowClient, name)).parameters)[1:]
    assert ours[: len(wanted)] == wanted


@pytest.mark.parametrize("name", sorted(ABSENT))
def test_calling_an_absent_method_says_so_and_why(name: str) -> None:
    with pytest.raises(MethodNotSupportedError) as caught:
        getattr(ApiWorkflowClient(), name)("any", argument=1)
    assert str(caught.value).startswith(f"{name}() is not part of lightly_pipeline: ")
    assert ABSENT[name] in str(caught.value)


def test_an_attribute_that_nobody_has_is_missing_as_usual() -> None:
    with pytest.raises(AttributeError, match="no attribute 'create_datset'"):
        _ = ApiWorkflowClient().create_datset


def test_the_documentation_has_a_line_for_every_method() -> None:
    if not DOCUMENT.exists():
        pytest.skip("not in a checkout")
    rows = re.findall(
        r"^\| `(\w+)` \| (same|differs|absent|ours)", DOCUMENT.read_text(), re.MULTILINE
    )
    assert len(rows) == len(dict(rows))
    assert {name for name, _ in rows} == NAMES | {"wait_for_run"}
    assert {name for name, kind in rows if kind == "absent"} == set(ABSENT)


def test_importing_the_client_loads_nothing_heavy() -> None:
    code = (
        "import sys; from lightly_pipeline.api import ApiWorkflowClient, DatasetType\n"
        "print([m for m in ('torch', 'faiss', 'av', 'dagster', 'boto3', 'pyarrow') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
