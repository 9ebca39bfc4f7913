"""One version of an object, opened: how its ranges are asked for, and what a refusal means.

What is done with the answers is in `s3_reader.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from lightly_pipeline.datasources.s3_answers import check_described, plain_etag
from lightly_pipeline.datasources.s3_errors import status_of, translated
from lightly_pipeline.datasources.s3_reader import RangeReader
from lightly_pipeline.errors import ObjectChangedError

REFUSED = (ClientError, BotoCoreError, ResponseParserError)
"""What boto3 raises when a store refuses, or cannot be understood."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """An object in the version that is meant.

    Attributes:
        client: boto3's.
        key: Its parameters for the object.
        location: The object, for messages.
        etag: The version; any without.
        habits: What is known of the store; shared by all of its objects.
    """

    client: Any
    key: Mapping[str, str]
    location: str
    etag: str | None
    habits: dict[str, Any]

    def get(self, byte_range: str) -> Any:
        """Asks once for a range, without the condition where it never holds."""
        key = {**self.key, "Range": byte_range}
        if not self.etag or "unconditional" in self.habits:
            return self.client.get_object(**key)
        try:
            return self.client.get_object(**key, IfMatch=self.etag)
        except ClientError as error:
            if status_of(error) != 412:
                raise
        current = check_described(self.client.head_object(**self.key), "ETag")
        if plain_etag(current["ETag"]) != plain_etag(self.etag):
            raise ObjectChangedError(
                f"{self.location} was changed since it was listed; "
                "run again to take the new version"
            )
        # SeaweedFS 3.97 refuses every condition (its issue 7274); answers are compared anyway.
        self.habits["unconditional"] = True
        return self.client.get_object(**key)

    def head(self) -> Any:
        """Asks once for what the store says of the object, its checksums included."""
        return self.client.head_object(**self.key, ChecksumMode="ENABLED")


class TranslatingReader(RangeReader):
    """A reader whose later failures are the datasource's errors, too."""

    def read_available(self, size: int = -1) -> bytes:
        """As the reader's."""
        try:
            return super().read_available(size)
        except REFUSED as error:
            raise translated(error, "read", self._location) from None

    def confirm(self) -> bool:
        """As the reader's."""
        try:
            return super().confirm()
        except REFUSED as error:
            raise translated(error, "read", self._location) from None
