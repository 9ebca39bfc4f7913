"""Removes up to a thousand objects of an S3 bucket with one request; each key's answer is seen."""

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from lightly_pipeline.datasources.answers import WrongAnswerError
from lightly_pipeline.datasources.deletion import BatchUnknownError
from lightly_pipeline.datasources.s3_errors import NOT_IMPLEMENTED, passing, status_of

# What stores say that do not know the request, its checksum, or a key of it.
_CANNOT = (400, 405, NOT_IMPLEMENTED)


def delete_keys(
    client: Any, bucket: str, keys: Iterable[str], payer: Mapping[str, str]
) -> dict[str, ClientError]:
    """Removes up to a thousand keys with one request.

    Returns:
        The store's refusal by key, for those that are left.

    Raises:
        BatchUnknownError: The store does not take such a request.
        WrongAnswerError: The answer does not say of each key what became of it.
        ClientError: The request was refused, or a key of it for now: all can be asked for again.
    """
    wanted = [{"Key": key} for key in keys]
    try:
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": wanted}, **payer)
    except ClientError as error:
        if status_of(error) in _CANNOT:
            raise BatchUnknownError from error
        raise
    refused = {error["Key"]: _refusal(error) for error in answer.get("Errors", ())}
    for refusal in refused.values():
        if passing(refusal):
            raise refusal
    named = refused.keys() | {item["Key"] for item in answer.get("Deleted", ())}
    if not named.issuperset(item["Key"] for item in wanted):
        raise WrongAnswerError("an answer that leaves out objects that were to be deleted")
    return refused


def _refusal(error: Mapping[str, Any]) -> ClientError:
    """Returns the error that deleting this key alone would have raised."""
    said: Any = {"Code": error.get("Code", ""), "Message": error.get("Message", "")}
    return ClientError({"Error": said}, "DeleteObject")
