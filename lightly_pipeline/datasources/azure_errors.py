"""What the refusals of Azure Blob Storage mean: which error of ours, and which pass.

Pure decisions over the exceptions of azure-core; what they say is not repeated, as it may hold
parts of a signature.
"""

from typing import Any

from lightly_pipeline.datasources.azure_reasons import CERTIFICATE, NO_CREDENTIALS, REFUSALS
from lightly_pipeline.datasources.reasons import (
    PASSING,
    UNREACHABLE,
    Refusal,
    line,
    refused_for_now,
)
from lightly_pipeline.errors import (
    DatasourceError,
    ObjectNotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
)

_BY_CODE = {code: refusal for refusal in REFUSALS for code in refusal.codes}
_DENIED = _BY_CODE["AuthorizationFailure"]
# A body that was damaged on its way is refused by the store and worth sending again.
_DAMAGED = ("Md5Mismatch", "Crc64Mismatch", "IncompleteBody")


def passing(error: Exception) -> str | None:
    """Returns in a few words what is the matter if the same call may work a little later."""
    from azure.core.exceptions import ClientAuthenticationError, DecodeError

    if isinstance(error, DecodeError):
        return "it answered wrongly: no XML"
    if status := status_of(error):
        code = code_of(error)
        passes = (status in PASSING and code not in _BY_CODE) or code in _DAMAGED
        return f"{code or 'refused'} (HTTP {status})" if passes else None
    if isinstance(error, ClientAuthenticationError):
        return None
    return type(error).__name__ if _is_lost(error) and not _is_certificate(error) else None


def status_of(error: Exception) -> int | None:
    """Returns the HTTP status of a refusal; None of anything else."""
    from azure.core.exceptions import HttpResponseError

    if not isinstance(error, HttpResponseError):
        return None
    return getattr(error, "status_code", None)


def code_of(error: Any) -> str:
    """Returns the store's error code; "" where it names none."""
    code = getattr(error, "error_code", None)
    if code is None and error.response is not None:
        code = error.response.headers.get("x-ms-error-code")
    return str(getattr(code, "value", code) or "")


def translated(error: Exception, operation: str, where: str) -> DatasourceError | None:
    """Returns the error that a user of a datasource sees; None of one that is no store's.

    Args:
        error: What was raised.
        operation: What was tried, such as "read".
        where: The object or the container.
    """
    from azure.core.exceptions import AzureError, ClientAuthenticationError

    tried = f"cannot {operation} {where}"
    if not isinstance(error, AzureError):
        return None
    if status := status_of(error):
        return _refused(code_of(error), status, tried, where)
    if isinstance(error, ClientAuthenticationError):
        return PermissionDeniedError(line(tried, NO_CREDENTIALS, type(error).__name__))
    reason = CERTIFICATE if _is_certificate(error) else UNREACHABLE
    return DatasourceError(line(tried, reason, type(error).__name__))


def _refused(code: str, status: int, tried: str, where: str) -> DatasourceError:
    if (refusal := _BY_CODE.get(code)) is not None:
        return _by(refusal, tried, code)
    if status == 404:
        return ObjectNotFoundError(f"{where} does not exist")
    if status == 412 or code == "BlobAlreadyExists":
        return PreconditionFailedError(f"{where} is another version by now")
    if status in (401, 403):
        return _by(_DENIED, tried, code or str(status))
    return refused_for_now(status, tried, code or str(status)) or DatasourceError(
        f"{tried}: {code or 'refused'} (HTTP {status})"
    )


def _by(refusal: Refusal, tried: str, seen: str) -> DatasourceError:
    return refusal.kind(line(tried, (refusal.says, refusal.do), seen))


def _is_lost(error: Exception) -> bool:
    """Returns whether there was no answer, or none that came whole."""
    from azure.core.exceptions import (
        HttpResponseError,
        IncompleteReadError,
        ServiceRequestError,
        ServiceResponseError,
    )

    # Without a status: an answer that broke off, as the client's downloader wraps it.
    lost = (ServiceRequestError, ServiceResponseError, IncompleteReadError, HttpResponseError)
    return isinstance(error, lost)


def _is_certificate(error: Exception) -> bool:
    return "CERTIFICATE_VERIFY" in str(error)
