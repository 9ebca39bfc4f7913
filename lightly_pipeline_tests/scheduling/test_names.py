"""A dataset's name becomes an identifier, another one for every name."""

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.scheduling.names import check_dataset_name, identifier_of, new_id

LETTERS = string.ascii_letters + string.digits
# Few characters, so that names come close to each other.
CLOSE = st.from_regex(r"\A[aDd2][aDd24f_\- ]{2,6}\Z")
NAMES = CLOSE | st.from_regex(r"\A[a-zA-Z0-9][a-zA-Z0-9 _-]{2,30}\Z")


@given(NAMES, NAMES)
@example("Demo", "dDemo")
@example("d_Demo", "Demo")
@example("1ab", "d1ab")
@example("a__b", "a_-b")
def test_every_name_has_an_identifier_of_its_own(first: str, second: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", identifier_of(first))
    assert (identifier_of(first) == identifier_of(second)) == (first == second)


@given(st.from_regex(r"\A[a-z][a-z0-9]*(_[a-z0-9]+)*\Z"))
def test_a_name_that_is_an_identifier_stays(name: str) -> None:
    assert identifier_of(name) == name


def test_the_page_s_dataset() -> None:
    assert identifier_of("dataset-name") == "dataset__2dname"


@pytest.mark.parametrize("name", ["", "ab", "-abc", "a/b/c", "naïve", "a\nbc", None])
def test_what_the_original_refuses_is_refused(name: str) -> None:
    with pytest.raises(InvalidConfigurationError, match="at least three letters"):
        check_dataset_name(name)


def test_ids_are_24_hexadecimal_digits() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch("[0-9a-f]{24}", one) for one in ids)
