"""Ids, and how a dataset's name on the client side is spelt where only identifiers are allowed.

Pure functions.
"""

import hashlib
import re
import secrets
import time

from lightly_pipeline.errors import InvalidConfigurationError

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9 _-]{2,}")
_KEPT = re.compile(r"[a-z0-9]")


def new_id() -> str:
    """Returns 24 hexadecimal digits, later ones greater than those of an earlier second."""
    return f"{int(time.time()):08x}{secrets.token_hex(8)}"


def tag_id(dataset_id: str, name: str) -> str:
    """Returns the 24 hexadecimal digits under which a dataset's tag is known."""
    return hashlib.sha256(f"{dataset_id} {name}".encode()).hexdigest()[:24]


def check_dataset_name(name: str) -> None:
    """Refuses what the original refuses as a dataset's name.

    Raises:
        InvalidConfigurationError: Says what is allowed.
    """
    _check_name(name, "dataset")


def check_worker_name(name: str) -> None:
    """Refuses what the original refuses as a worker's name.

    Raises:
        InvalidConfigurationError: Says what is allowed.
    """
    _check_name(name, "worker")


def _check_name(name: str, what: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidConfigurationError(
            f"{what} name {name!r}: use at least three letters, digits, spaces, _ and -, a letter "
            "or digit first"
        )


def identifier_of(name: str) -> str:
    """Returns the name of a dataset as `[a-z][a-z0-9_]*`, another one for every name.

    Lower-case letters, digits and single underscores stay; every other character becomes `__` and
    its code in two hexadecimal digits ("dataset-name" is "dataset__2dname"). A name that does not
    start with a lower-case letter gets "d__" in front, which no other name can start with, because
    its first character is then written as a code, too.
    """
    spelt = [
        character if _stays(name, place) else f"__{ord(character):02x}"
        for place, character in enumerate(name)
    ]
    if "a" <= name[0] <= "z":
        return "".join(spelt)
    spelt[0] = f"__{ord(name[0]):02x}"
    return "d__" + "".join(spelt)


def _stays(name: str, place: int) -> bool:
    if name[place] == "_":
        return "_" not in (name[place - 1 : place], name[place + 1 : place + 2])
    return bool(_KEPT.fullmatch(name[place]))


def labels_of(text: str) -> set[str]:
    """Returns the labels in a list with commas, as a worker and Dagster are given theirs."""
    return {label for part in text.split(",") if (label := part.strip())}
