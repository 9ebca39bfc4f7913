"""The tags of a dataset as the client knows them: by ids of 24 hexadecimal digits.

Runs make tags (`datapool.tags`); only the ids are the client's.
"""

import hashlib


def tag_id(dataset_id: str, name: str) -> str:
    """Returns the 24 hexadecimal digits under which a dataset's tag is known."""
    return hashlib.sha256(f"{dataset_id} {name}".encode()).hexdigest()[:24]
