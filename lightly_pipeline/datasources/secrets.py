"""Refuses URLs that hold a user, key or password: they would be logged, stored and shown."""

from lightly_pipeline.errors import InvalidConfigurationError


def refuse_secrets(url: str, name: str) -> None:
    """Refuses a URL with something secret in it, without repeating it.

    Args:
        url: What a person typed.
        name: What it is for, for the message.

    Raises:
        InvalidConfigurationError: It names a user, key or password.
    """
    scheme, _, rest = url.partition("://")
    place = rest.partition("/")[0]
    # A secret key may hold slashes: then the "@" is somewhere behind. A bucket has no ":" in its
    # name, but its prefix may hold "@"; an endpoint has a ":" before its port.
    is_bucket = scheme in _BUCKETS
    suspicious = "@" in place or (":" in place if is_bucket else "@" in rest)
    # A SAS token is a query.
    suspicious = suspicious or "sig=" in rest.partition("?")[2]
    if suspicious:
        raise InvalidConfigurationError(
            f"{name}: a URL must not hold a user, key or password, as it is logged and stored; "
            f"{_BUCKETS.get(scheme, _AWS)}"
        )


_AWS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile or role_arn"
_BUCKETS = {
    "s3": _AWS,
    "gs": "log in (gcloud auth application-default login), or set GOOGLE_APPLICATION_CREDENTIALS",
    "az": "log in (az login), or set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
}
