"""What may have been meant by a name that is not known, in the words of every message."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns "did you mean X?" where a known name is near, else all of them.

    >>> did_you_mean("n_sample", ["n_samples", "strategies"])
    'did you mean n_samples?'
    >>> did_you_mean("amount", ["n_samples", "strategies"])
    'known are n_samples, strategies'
    """
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(names)}"
