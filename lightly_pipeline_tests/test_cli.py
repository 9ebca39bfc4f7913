"""What the command line says to a wrong argument."""

import pytest

from lightly_pipeline.cli import main


@pytest.mark.parametrize("amount", ["1.5", "0", "-3", "many"])
def test_an_amount_that_is_no_whole_number_is_refused_in_plain_words(
    amount: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--input", "a", "--lightly", "b", f"--n-samples={amount}"])
    assert ended.value.code == 2
    assert f"{amount} is not a whole number of at least 1" in capsys.readouterr().err
