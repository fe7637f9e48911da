"""A client library for accessing SiteAssist API.

Start with `SiteAssist` or `AsyncSiteAssist`; see docs/client.md. The names of this
package are imported when they are first used.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from siteassist_runtime.pages import AsyncPages, Pages
    from siteassist_runtime.raw_response import RawResponse
    from siteassist_runtime.streaming.events import (
        AbortPayload,
        DataPayload,
        FilePayload,
        MessageMetadataPayload,
        ReasoningDeltaPayload,
        ReasoningEndPayload,
        ReasoningStartPayload,
        SourceDocumentPayload,
        SourceUrlPayload,
        ToolApprovalRequestPayload,
        ToolInputAvailablePayload,
        ToolInputDeltaPayload,
        ToolInputErrorPayload,
        ToolInputStartPayload,
        ToolOutputAvailablePayload,
        ToolOutputDeniedPayload,
        ToolOutputErrorPayload,
    )
    from siteassist_runtime.streaming.queued import QueuedNotice
    from siteassist_runtime.streaming.stream import AsyncStream, Stream
    from siteassist_runtime.unset import UNSET, Unset

    from .client import AsyncSiteAssist, AuthenticatedClient, Client, SiteAssist
    from .errors import (
        APIConnectionError,
        APIResponseError,
        APIStatusError,
        APITimeoutError,
        BadGatewayError,
        BadRequestError,
        ConflictError,
        CredentialsError,
        ForbiddenError,
        InternalServerError,
        NotFoundError,
        PaymentRequiredError,
        ServiceUnavailableError,
        SiteAssistError,
        StreamDecodeError,
        StreamError,
        StreamTruncatedError,
        TooManyRequestsError,
        UnauthorizedError,
        UnprocessableEntityError,
    )
    from .models.error_payload import ErrorPayload
    from .models.finish_payload import FinishPayload
    from .models.finish_step_payload import FinishStepPayload
    from .models.other_payload import OtherPayload
    from .models.start_payload import StartPayload
    from .models.start_step_payload import StartStepPayload
    from .models.text_delta_payload import TextDeltaPayload
    from .models.text_end_payload import TextEndPayload
    from .models.text_start_payload import TextStartPayload

_MODULES = {
    "AsyncSiteAssist": ".client",
    "AuthenticatedClient": ".client",
    "Client": ".client",
    "SiteAssist": ".client",
    "APIConnectionError": ".errors",
    "APIResponseError": ".errors",
    "APIStatusError": ".errors",
    "APITimeoutError": ".errors",
    "CredentialsError": ".errors",
    "SiteAssistError": ".errors",
    "StreamDecodeError": ".errors",
    "StreamError": ".errors",
    "StreamTruncatedError": ".errors",
    "BadRequestError": ".errors",
    "UnauthorizedError": ".errors",
    "PaymentRequiredError": ".errors",
    "ForbiddenError": ".errors",
    "NotFoundError": ".errors",
    "ConflictError": ".errors",
    "UnprocessableEntityError": ".errors",
    "TooManyRequestsError": ".errors",
    "InternalServerError": ".errors",
    "BadGatewayError": ".errors",
    "ServiceUnavailableError": ".errors",
    "ErrorPayload": ".models.error_payload",
    "FinishPayload": ".models.finish_payload",
    "FinishStepPayload": ".models.finish_step_payload",
    "OtherPayload": ".models.other_payload",
    "StartPayload": ".models.start_payload",
    "StartStepPayload": ".models.start_step_payload",
    "TextDeltaPayload": ".models.text_delta_payload",
    "TextEndPayload": ".models.text_end_payload",
    "TextStartPayload": ".models.text_start_payload",
    "AsyncPages": "siteassist_runtime.pages",
    "Pages": "siteassist_runtime.pages",
    "RawResponse": "siteassist_runtime.raw_response",
    "AbortPayload": "siteassist_runtime.streaming.events",
    "DataPayload": "siteassist_runtime.streaming.events",
    "FilePayload": "siteassist_runtime.streaming.events",
    "MessageMetadataPayload": "siteassist_runtime.streaming.events",
    "ReasoningDeltaPayload": "siteassist_runtime.streaming.events",
    "ReasoningEndPayload": "siteassist_runtime.streaming.events",
    "ReasoningStartPayload": "siteassist_runtime.streaming.events",
    "SourceDocumentPayload": "siteassist_runtime.streaming.events",
    "SourceUrlPayload": "siteassist_runtime.streaming.events",
    "ToolApprovalRequestPayload": "siteassist_runtime.streaming.events",
    "ToolInputAvailablePayload": "siteassist_runtime.streaming.events",
    "ToolInputDeltaPayload": "siteassist_runtime.streaming.events",
    "ToolInputErrorPayload": "siteassist_runtime.streaming.events",
    "ToolInputStartPayload": "siteassist_runtime.streaming.events",
    "ToolOutputAvailablePayload": "siteassist_runtime.streaming.events",
    "ToolOutputDeniedPayload": "siteassist_runtime.streaming.events",
    "ToolOutputErrorPayload": "siteassist_runtime.streaming.events",
    "QueuedNotice": "siteassist_runtime.streaming.queued",
    "AsyncStream": "siteassist_runtime.streaming.stream",
    "Stream": "siteassist_runtime.streaming.stream",
    "UNSET": "siteassist_runtime.unset",
    "Unset": "siteassist_runtime.unset",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first used."""
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_MODULES[name], __name__), name)
    return value


def __dir__() -> list[str]:
    """Return all names, including those that are not imported yet."""
    return sorted({*globals(), *_MODULES})


__all__ = (
    "AsyncSiteAssist",
    "AuthenticatedClient",
    "Client",
    "SiteAssist",
    "APIConnectionError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "CredentialsError",
    "SiteAssistError",
    "StreamDecodeError",
    "StreamError",
    "StreamTruncatedError",
    "BadRequestError",
    "UnauthorizedError",
    "PaymentRequiredError",
    "ForbiddenError",
    "NotFoundError",
    "ConflictError",
    "UnprocessableEntityError",
    "TooManyRequestsError",
    "InternalServerError",
    "BadGatewayError",
    "ServiceUnavailableError",
    "ErrorPayload",
    "FinishPayload",
    "FinishStepPayload",
    "OtherPayload",
    "StartPayload",
    "StartStepPayload",
    "TextDeltaPayload",
    "TextEndPayload",
    "TextStartPayload",
    "AsyncPages",
    "Pages",
    "RawResponse",
    "AbortPayload",
    "DataPayload",
    "FilePayload",
    "MessageMetadataPayload",
    "ReasoningDeltaPayload",
    "ReasoningEndPayload",
    "ReasoningStartPayload",
    "SourceDocumentPayload",
    "SourceUrlPayload",
    "ToolApprovalRequestPayload",
    "ToolInputAvailablePayload",
    "ToolInputDeltaPayload",
    "ToolInputErrorPayload",
    "ToolInputStartPayload",
    "ToolOutputAvailablePayload",
    "ToolOutputDeniedPayload",
    "ToolOutputErrorPayload",
    "QueuedNotice",
    "AsyncStream",
    "Stream",
    "UNSET",
    "Unset",
)
