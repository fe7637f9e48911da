"""A client library for accessing SiteAssist API.

Start with `SiteAssist` or `AsyncSiteAssist`; see docs/how-to/client.md. The pages in `docs` are
installed with the package, in the folder `siteassist/docs`. The names of this package are
imported when they are first used.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from siteassist_runtime.live.listener import AsyncListener, Listener
    from siteassist_runtime.pages import AsyncPages, Pages
    from siteassist_runtime.raw_response import RawResponse
    from siteassist_runtime.streaming.queued import QueuedNotice
    from siteassist_runtime.streaming.stream import AsyncStream, Stream
    from siteassist_runtime.unset import UNSET, Unset

    from .client import AsyncSiteAssist, AuthenticatedClient, Client, SiteAssist
    from .errors import (
        AnswerTimeoutError,
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
    from .models.abort_payload import AbortPayload
    from .models.custom_payload import CustomPayload
    from .models.data_payload import DataPayload
    from .models.error_payload import ErrorPayload
    from .models.file_payload import FilePayload
    from .models.finish_payload import FinishPayload
    from .models.finish_step_payload import FinishStepPayload
    from .models.message_metadata_payload import MessageMetadataPayload
    from .models.other_payload import OtherPayload
    from .models.reasoning_delta_payload import ReasoningDeltaPayload
    from .models.reasoning_end_payload import ReasoningEndPayload
    from .models.reasoning_file_payload import ReasoningFilePayload
    from .models.reasoning_start_payload import ReasoningStartPayload
    from .models.reset_step_payload import ResetStepPayload
    from .models.socket_human_assigned import SocketHumanAssigned
    from .models.socket_new_message import SocketNewMessage
    from .models.socket_other_message import SocketOtherMessage
    from .models.source_document_payload import SourceDocumentPayload
    from .models.source_url_payload import SourceUrlPayload
    from .models.start_payload import StartPayload
    from .models.start_step_payload import StartStepPayload
    from .models.steering_message_payload import SteeringMessagePayload
    from .models.text_delta_payload import TextDeltaPayload
    from .models.text_end_payload import TextEndPayload
    from .models.text_start_payload import TextStartPayload
    from .models.tool_approval_request_payload import ToolApprovalRequestPayload
    from .models.tool_approval_response_payload import ToolApprovalResponsePayload
    from .models.tool_input_available_payload import ToolInputAvailablePayload
    from .models.tool_input_delta_payload import ToolInputDeltaPayload
    from .models.tool_input_error_payload import ToolInputErrorPayload
    from .models.tool_input_start_payload import ToolInputStartPayload
    from .models.tool_output_available_payload import ToolOutputAvailablePayload
    from .models.tool_output_denied_payload import ToolOutputDeniedPayload
    from .models.tool_output_error_payload import ToolOutputErrorPayload

_MODULES = {
    "AsyncSiteAssist": ".client",
    "AuthenticatedClient": ".client",
    "Client": ".client",
    "SiteAssist": ".client",
    "APIConnectionError": ".errors",
    "APIResponseError": ".errors",
    "APIStatusError": ".errors",
    "APITimeoutError": ".errors",
    "AnswerTimeoutError": ".errors",
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
    "AbortPayload": ".models.abort_payload",
    "CustomPayload": ".models.custom_payload",
    "DataPayload": ".models.data_payload",
    "ErrorPayload": ".models.error_payload",
    "FilePayload": ".models.file_payload",
    "FinishPayload": ".models.finish_payload",
    "FinishStepPayload": ".models.finish_step_payload",
    "MessageMetadataPayload": ".models.message_metadata_payload",
    "OtherPayload": ".models.other_payload",
    "ReasoningDeltaPayload": ".models.reasoning_delta_payload",
    "ReasoningEndPayload": ".models.reasoning_end_payload",
    "ReasoningFilePayload": ".models.reasoning_file_payload",
    "ReasoningStartPayload": ".models.reasoning_start_payload",
    "ResetStepPayload": ".models.reset_step_payload",
    "SocketHumanAssigned": ".models.socket_human_assigned",
    "SocketNewMessage": ".models.socket_new_message",
    "SocketOtherMessage": ".models.socket_other_message",
    "SourceDocumentPayload": ".models.source_document_payload",
    "SourceUrlPayload": ".models.source_url_payload",
    "StartPayload": ".models.start_payload",
    "StartStepPayload": ".models.start_step_payload",
    "SteeringMessagePayload": ".models.steering_message_payload",
    "TextDeltaPayload": ".models.text_delta_payload",
    "TextEndPayload": ".models.text_end_payload",
    "TextStartPayload": ".models.text_start_payload",
    "ToolApprovalRequestPayload": ".models.tool_approval_request_payload",
    "ToolApprovalResponsePayload": ".models.tool_approval_response_payload",
    "ToolInputAvailablePayload": ".models.tool_input_available_payload",
    "ToolInputDeltaPayload": ".models.tool_input_delta_payload",
    "ToolInputErrorPayload": ".models.tool_input_error_payload",
    "ToolInputStartPayload": ".models.tool_input_start_payload",
    "ToolOutputAvailablePayload": ".models.tool_output_available_payload",
    "ToolOutputDeniedPayload": ".models.tool_output_denied_payload",
    "ToolOutputErrorPayload": ".models.tool_output_error_payload",
    "AsyncListener": "siteassist_runtime.live.listener",
    "Listener": "siteassist_runtime.live.listener",
    "AsyncPages": "siteassist_runtime.pages",
    "Pages": "siteassist_runtime.pages",
    "RawResponse": "siteassist_runtime.raw_response",
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
    "AnswerTimeoutError",
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
    "AbortPayload",
    "CustomPayload",
    "DataPayload",
    "ErrorPayload",
    "FilePayload",
    "FinishPayload",
    "FinishStepPayload",
    "MessageMetadataPayload",
    "OtherPayload",
    "ReasoningDeltaPayload",
    "ReasoningEndPayload",
    "ReasoningFilePayload",
    "ReasoningStartPayload",
    "ResetStepPayload",
    "SocketHumanAssigned",
    "SocketNewMessage",
    "SocketOtherMessage",
    "SourceDocumentPayload",
    "SourceUrlPayload",
    "StartPayload",
    "StartStepPayload",
    "SteeringMessagePayload",
    "TextDeltaPayload",
    "TextEndPayload",
    "TextStartPayload",
    "ToolApprovalRequestPayload",
    "ToolApprovalResponsePayload",
    "ToolInputAvailablePayload",
    "ToolInputDeltaPayload",
    "ToolInputErrorPayload",
    "ToolInputStartPayload",
    "ToolOutputAvailablePayload",
    "ToolOutputDeniedPayload",
    "ToolOutputErrorPayload",
    "AsyncListener",
    "Listener",
    "AsyncPages",
    "Pages",
    "RawResponse",
    "QueuedNotice",
    "AsyncStream",
    "Stream",
    "UNSET",
    "Unset",
)
