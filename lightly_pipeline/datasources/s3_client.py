"""Makes the boto3 client that a datasource talks to its store with.

Credentials come from boto3's own chain unless they are given. Nothing is asked of the store here.
"""

import threading
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

_CONNECT_S, _READ_S, _POOL = 5, 30, 32
_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn")
# boto3 loads its descriptions of services without a lock.
_lock = threading.Lock()
# What has read them, by the folder of a user's own ones.
_loaders: dict[str | None, Any] = {}


class ClientOptions(Protocol):
    """What a client is made of; explained at `S3Datasource`, which has it all."""

    @property
    def region(self) -> str | None: ...  # noqa: D102
    @property
    def endpoint_url(self) -> str | None: ...  # noqa: D102
    @property
    def profile(self) -> str | None: ...  # noqa: D102
    @property
    def role_arn(self) -> str | None: ...  # noqa: D102
    @property
    def external_id(self) -> str | None: ...  # noqa: D102
    @property
    def access_key_id(self) -> str | None: ...  # noqa: D102
    @property
    def secret_access_key(self) -> str | None: ...  # noqa: D102
    @property
    def session_token(self) -> str | None: ...  # noqa: D102
    @property
    def addressing_style(self) -> str: ...  # noqa: D102
    @property
    def verify(self) -> str | None: ...  # noqa: D102


def make_client(options: ClientOptions) -> Any:
    """Returns a client that tries once: waiting and trying again is the datasource's business."""
    import boto3

    with _lock:
        session = boto3.Session(
            aws_access_key_id=options.access_key_id,
            aws_secret_access_key=options.secret_access_key,
            aws_session_token=options.session_token,
            profile_name=options.profile,
            region_name=options.region,
        )
        _share_descriptions(session)
        if options.role_arn:
            session = _assumed(session, options.role_arn, options.external_id)
            _share_descriptions(session)
        _read_dates_fast(session)
        client = _client(session, options, is_aws=True)
        # Where the endpoint comes from (option, profile, environment) is boto3's to know.
        if not is_aws(client.meta.endpoint_url):
            client = _client(session, options, is_aws=False)
        return client


def is_aws(endpoint_url: str) -> bool:
    """Returns whether an endpoint is one of AWS's own."""
    return (urlsplit(endpoint_url).hostname or "").endswith(_AWS_DOMAINS)


def _client(session: Any, options: ClientOptions, *, is_aws: bool) -> Any:
    from botocore.config import Config

    style = options.addressing_style
    settings: dict[str, Any] = {
        "connect_timeout": _CONNECT_S,
        "read_timeout": _READ_S,
        "retries": {"mode": "standard", "total_max_attempts": 1},
        "max_pool_connections": _POOL,
        # Also for signed URLs, where the default would be the signature AWS has retired.
        "signature_version": "s3v4",
        "s3": {"addressing_style": style if is_aws or style != "auto" else "path"},
    }
    if not is_aws:
        # Older stores refuse the trailing checksums that AWS takes.
        settings["request_checksum_calculation"] = "when_required"
    return session.client(
        "s3",
        endpoint_url=options.endpoint_url,
        region_name=options.region or session.region_name or "us-east-1",
        verify=options.verify,
        config=Config(**settings),
    )


def _share_descriptions(session: Any) -> None:
    """Has a session use the descriptions of services that another one has read.

    To read them is nine tenths of the work of making a client.
    """
    core = session._session
    own = core.get_component("data_loader")
    folder = core.get_config_variable("data_path")
    core.register_component("data_loader", _loaders.setdefault(folder, own))


def _read_dates_fast(session: Any) -> None:
    """Has clients of a session read dates by `parse_date`."""
    factory = session._session.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=parse_date)


def parse_date(value: Any) -> datetime:
    """Returns what botocore makes of a date in an answer, much faster for those of a listing.

    botocore's parser takes any date, which is two thirds of the work of a listing.
    """
    from botocore.utils import parse_timestamp

    if isinstance(value, str) and value[10:11] == "T" and value.endswith("Z"):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    parsed: datetime = parse_timestamp(value)
    return parsed


def _assumed(session: Any, role_arn: str, external_id: str | None) -> Any:
    """Returns a session with credentials of a role that refresh themselves."""
    import boto3
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
    from botocore.session import Session

    core = session._session
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=core.create_client,
        source_credentials=core.get_credentials(),
        role_arn=role_arn,
        extra_args={"ExternalId": external_id} if external_id else {},
    )
    # Of the same profile, which may name the store's endpoint.
    assumed: Any = Session(profile=core.profile)
    assumed._credentials = DeferredRefreshableCredentials(
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )
    return boto3.Session(botocore_session=assumed, region_name=session.region_name)
