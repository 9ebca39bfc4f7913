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
    is_bucket = scheme == "s3"
    suspicious = "@" in place or (":" in place if is_bucket else "@" in rest)
    if suspicious:
        raise InvalidConfigurationError(
            f"{name}: a URL must not hold a user, key or password, as it is logged and stored; set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile or role_arn"
        )
