"""docs/selection.md lists the strategies and options that there are."""

import re
from pathlib import Path

import pytest

from lightly_pipeline.config.strategies import STRATEGIES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "selection.md").read_text()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_page_names_every_option_of_a_strategy(strategy: str) -> None:
    (line,) = re.findall(rf"^\| {strategy} \|.*$", PAGE, re.MULTILINE)
    options = set(re.findall(r"`(\w+)`", line.rsplit("|", 2)[1]))
    assert options == set(STRATEGIES[strategy].options) - {"strength"}
