"""Clients of the SiteAssist API.

`SiteAssist` and `AsyncSiteAssist` are the high-level clients. They have a method
for every operation, raise exceptions for errors, retry failed calls, and support
streams, pages and sessions. `Client` and `AuthenticatedClient` are for the
low-level functions in `api`, each of which sends a single request.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from siteassist_runtime.calls import ServiceInfo
from siteassist_runtime.http_library import choose_library
from siteassist_runtime.operation import OperationInfo
from siteassist_runtime.pages import PageNames
from siteassist_runtime.serialization import segment, text_of
from siteassist_runtime.settings import ClientSettings, seconds
from siteassist_runtime.streaming.queued import QueuedNotice
from siteassist_runtime.streaming.stream import EventTable, StreamFormat
from siteassist_runtime.sync_driver import Caller
from siteassist_runtime.unset import UNSET, Unset

from .errors import STATUS_ERRORS, CredentialsError, SiteAssistError

if TYPE_CHECKING:
    from types import TracebackType
    from uuid import UUID

    import httpx
    from siteassist_runtime.http_library import (
        URL,
        AsyncHTTPClient,
        AsyncTransport,
        HTTPClient,
        LibraryName,
        StepLimits,
        Transport,
    )
    from siteassist_runtime.live.listener import AsyncListener, Listener
    from siteassist_runtime.live.socket_format import Place, SocketFormat
    from siteassist_runtime.pages import AsyncPages, Pages
    from siteassist_runtime.streaming.stream import AsyncStream, Stream

    from .models.abort_payload import AbortPayload
    from .models.chat_message import ChatMessage
    from .models.close_conversation_result import CloseConversationResult
    from .models.completion import Completion
    from .models.conversation import Conversation
    from .models.conversation_context import ConversationContext
    from .models.conversation_list import ConversationList
    from .models.conversation_order_by import ConversationOrderBy
    from .models.conversation_status import ConversationStatus
    from .models.conversation_summary import ConversationSummary
    from .models.custom_payload import CustomPayload
    from .models.data_payload import DataPayload
    from .models.error_payload import ErrorPayload
    from .models.feedback import Feedback
    from .models.file_payload import FilePayload
    from .models.finish_payload import FinishPayload
    from .models.finish_step_payload import FinishStepPayload
    from .models.message import Message
    from .models.message_feedback import MessageFeedback
    from .models.message_list import MessageList
    from .models.message_metadata_payload import MessageMetadataPayload
    from .models.message_role import MessageRole
    from .models.message_status import MessageStatus
    from .models.order_direction import OrderDirection
    from .models.other_part import OtherPart
    from .models.other_payload import OtherPayload
    from .models.page_context import PageContext
    from .models.project import Project
    from .models.qna import Qna
    from .models.qna_list import QnaList
    from .models.reasoning_delta_payload import ReasoningDeltaPayload
    from .models.reasoning_end_payload import ReasoningEndPayload
    from .models.reasoning_file_payload import ReasoningFilePayload
    from .models.reasoning_start_payload import ReasoningStartPayload
    from .models.reset_step_payload import ResetStepPayload
    from .models.search_results import SearchResults
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
    from .models.text_part import TextPart
    from .models.text_start_payload import TextStartPayload
    from .models.token_usage import TokenUsage
    from .models.tool_approval_request_payload import ToolApprovalRequestPayload
    from .models.tool_approval_response_payload import ToolApprovalResponsePayload
    from .models.tool_input_available_payload import ToolInputAvailablePayload
    from .models.tool_input_delta_payload import ToolInputDeltaPayload
    from .models.tool_input_error_payload import ToolInputErrorPayload
    from .models.tool_input_start_payload import ToolInputStartPayload
    from .models.tool_output_available_payload import ToolOutputAvailablePayload
    from .models.tool_output_denied_payload import ToolOutputDeniedPayload
    from .models.tool_output_error_payload import ToolOutputErrorPayload
    from .models.tool_part import ToolPart
    from .models.visitor import Visitor
    from .models.visitor_session import VisitorSession

    AnswerEvent: TypeAlias = (
        StartPayload
        | StartStepPayload
        | TextStartPayload
        | TextDeltaPayload
        | TextEndPayload
        | FinishStepPayload
        | FinishPayload
        | ErrorPayload
        | AbortPayload
        | ResetStepPayload
        | MessageMetadataPayload
        | ReasoningStartPayload
        | ReasoningDeltaPayload
        | ReasoningEndPayload
        | ReasoningFilePayload
        | SourceUrlPayload
        | SourceDocumentPayload
        | FilePayload
        | ToolInputStartPayload
        | ToolInputDeltaPayload
        | ToolInputAvailablePayload
        | ToolInputErrorPayload
        | ToolApprovalRequestPayload
        | ToolApprovalResponsePayload
        | ToolOutputAvailablePayload
        | ToolOutputErrorPayload
        | ToolOutputDeniedPayload
        | SteeringMessagePayload
        | CustomPayload
        | DataPayload
        | OtherPayload
    )
    """An event of a stream."""
    AnswerPart: TypeAlias = TextPart | ToolPart | OtherPart
    """A part of an answer."""

    SocketEvent: TypeAlias = SocketNewMessage | SocketHumanAssigned | SocketOtherMessage
    """An event of a socket."""

DEFAULT_BASE_URL = "https://api.siteassist.io/v2"
_USER_AGENT = "siteassist-python/0.1.0"

_INIT = OperationInfo("init", "POST", False, ("apiKey",))
_GET_ME = OperationInfo("getMe", "GET", True)
_GET_CONVERSATIONS = OperationInfo("getConversations", "GET", True)
_GET_CONVERSATIONS_PAGE = PageNames(
    items="data", offset="offset", limit="limit", total="total"
)
_START_CONVERSATION = OperationInfo("startConversation", "POST", True)
_GET_CONVERSATION = OperationInfo("getConversation", "GET", True)
_CLOSE_CONVERSATION = OperationInfo("closeConversation", "POST", True)
_GET_MESSAGES = OperationInfo("getMessages", "GET", True)
_GET_MESSAGES_PAGE = PageNames(items="data", offset="offset", limit="limit", total=None)
_SEND_MESSAGE = OperationInfo("sendMessage", "POST", True)
_SEND_MESSAGE_FEEDBACK = OperationInfo("sendMessageFeedback", "POST", True)
_CREATE_CHAT_COMPLETION = OperationInfo("createChatCompletion", "POST", True)
_GET_PROJECT = OperationInfo("getProject", "GET", False, ("apiKey",))
_GET_QNAS = OperationInfo("getQnas", "GET", False)
_GET_QNAS_PAGE = PageNames(items="data", offset="offset", limit="limit", total="total")
_GET_QNA = OperationInfo("getQna", "GET", False)
_SEARCH = OperationInfo("search", "GET", False, ("apiKey",))

_SERVICE = ServiceInfo(
    STATUS_ERRORS,
    _INIT,
    "/identity/init",
    {
        "apiKey": "api_key",
        "saVid": "device_id",
    },
    "sessionToken",
)


def _read_init(response: httpx.Response) -> VisitorSession:
    from .models.visitor_session import VisitorSession

    return VisitorSession.from_dict(response.json())


def _read_get_me(response: httpx.Response) -> Visitor:
    from .models.visitor import Visitor

    return Visitor.from_dict(response.json())


def _read_get_conversations(response: httpx.Response) -> ConversationList:
    from .models.conversation_list import ConversationList

    return ConversationList.from_dict(response.json())


def _read_start_conversation(response: httpx.Response) -> Conversation:
    from .models.conversation import Conversation

    return Conversation.from_dict(response.json())


def _read_get_conversation(response: httpx.Response) -> Conversation:
    from .models.conversation import Conversation

    return Conversation.from_dict(response.json())


def _read_close_conversation(response: httpx.Response) -> CloseConversationResult:
    from .models.close_conversation_result import CloseConversationResult

    return CloseConversationResult.from_dict(response.json())


def _read_get_messages(response: httpx.Response) -> MessageList:
    from .models.message_list import MessageList

    return MessageList.from_dict(response.json())


def _read_send_message(response: httpx.Response) -> Completion | QueuedNotice:
    if response.status_code == 202:
        return QueuedNotice(text_of(response))

    from .models.completion import Completion

    return Completion.from_dict(response.json())


@cache
def _send_message_format() -> StreamFormat:
    from .models.abort_payload import AbortPayload
    from .models.custom_payload import CustomPayload
    from .models.data_payload import DataPayload
    from .models.error_payload import ErrorPayload
    from .models.file_payload import FilePayload
    from .models.finish_payload import FinishPayload
    from .models.finish_step_payload import FinishStepPayload
    from .models.message_metadata_payload import MessageMetadataPayload
    from .models.other_part import OtherPart
    from .models.other_payload import OtherPayload
    from .models.reasoning_delta_payload import ReasoningDeltaPayload
    from .models.reasoning_end_payload import ReasoningEndPayload
    from .models.reasoning_file_payload import ReasoningFilePayload
    from .models.reasoning_start_payload import ReasoningStartPayload
    from .models.reset_step_payload import ResetStepPayload
    from .models.source_document_payload import SourceDocumentPayload
    from .models.source_url_payload import SourceUrlPayload
    from .models.start_payload import StartPayload
    from .models.start_step_payload import StartStepPayload
    from .models.steering_message_payload import SteeringMessagePayload
    from .models.text_delta_payload import TextDeltaPayload
    from .models.text_end_payload import TextEndPayload
    from .models.text_part import TextPart
    from .models.text_start_payload import TextStartPayload
    from .models.token_usage import TokenUsage
    from .models.tool_approval_request_payload import ToolApprovalRequestPayload
    from .models.tool_approval_response_payload import ToolApprovalResponsePayload
    from .models.tool_input_available_payload import ToolInputAvailablePayload
    from .models.tool_input_delta_payload import ToolInputDeltaPayload
    from .models.tool_input_error_payload import ToolInputErrorPayload
    from .models.tool_input_start_payload import ToolInputStartPayload
    from .models.tool_output_available_payload import ToolOutputAvailablePayload
    from .models.tool_output_denied_payload import ToolOutputDeniedPayload
    from .models.tool_output_error_payload import ToolOutputErrorPayload
    from .models.tool_part import ToolPart

    def part(data: dict[str, Any]) -> AnswerPart:
        kind = str(data["type"])
        if kind == "text":
            return TextPart.from_dict(data)
        if kind.startswith("tool-"):
            return ToolPart.from_dict(data)
        return OtherPart.from_dict(data)

    return StreamFormat(
        terminator="[DONE]",
        error_type="error",
        error_text="errorText",
        events=EventTable(
            {
                "start": StartPayload.from_event,
                "start-step": StartStepPayload.from_event,
                "text-start": TextStartPayload.from_event,
                "text-delta": TextDeltaPayload.from_event,
                "text-end": TextEndPayload.from_event,
                "finish-step": FinishStepPayload.from_event,
                "finish": FinishPayload.from_event,
                "error": ErrorPayload.from_event,
                "abort": AbortPayload.from_event,
                "reset-step": ResetStepPayload.from_event,
                "message-metadata": MessageMetadataPayload.from_event,
                "reasoning-start": ReasoningStartPayload.from_event,
                "reasoning-delta": ReasoningDeltaPayload.from_event,
                "reasoning-end": ReasoningEndPayload.from_event,
                "reasoning-file": ReasoningFilePayload.from_event,
                "source-url": SourceUrlPayload.from_event,
                "source-document": SourceDocumentPayload.from_event,
                "file": FilePayload.from_event,
                "tool-input-start": ToolInputStartPayload.from_event,
                "tool-input-delta": ToolInputDeltaPayload.from_event,
                "tool-input-available": ToolInputAvailablePayload.from_event,
                "tool-input-error": ToolInputErrorPayload.from_event,
                "tool-approval-request": ToolApprovalRequestPayload.from_event,
                "tool-approval-response": ToolApprovalResponsePayload.from_event,
                "tool-output-available": ToolOutputAvailablePayload.from_event,
                "tool-output-error": ToolOutputErrorPayload.from_event,
                "tool-output-denied": ToolOutputDeniedPayload.from_event,
                "steering-message": SteeringMessagePayload.from_event,
                "custom": CustomPayload.from_event,
            },
            {
                "data-": DataPayload.from_event,
            },
            OtherPayload.from_event,
        ),
        part=part,
        usage=TokenUsage.from_dict,
    )


def _read_send_message_feedback(response: httpx.Response) -> MessageFeedback:
    from .models.message_feedback import MessageFeedback

    return MessageFeedback.from_dict(response.json())


def _read_create_chat_completion(response: httpx.Response) -> Completion:
    from .models.completion import Completion

    return Completion.from_dict(response.json())


@cache
def _create_chat_completion_format() -> StreamFormat:
    from .models.abort_payload import AbortPayload
    from .models.custom_payload import CustomPayload
    from .models.data_payload import DataPayload
    from .models.error_payload import ErrorPayload
    from .models.file_payload import FilePayload
    from .models.finish_payload import FinishPayload
    from .models.finish_step_payload import FinishStepPayload
    from .models.message_metadata_payload import MessageMetadataPayload
    from .models.other_part import OtherPart
    from .models.other_payload import OtherPayload
    from .models.reasoning_delta_payload import ReasoningDeltaPayload
    from .models.reasoning_end_payload import ReasoningEndPayload
    from .models.reasoning_file_payload import ReasoningFilePayload
    from .models.reasoning_start_payload import ReasoningStartPayload
    from .models.reset_step_payload import ResetStepPayload
    from .models.source_document_payload import SourceDocumentPayload
    from .models.source_url_payload import SourceUrlPayload
    from .models.start_payload import StartPayload
    from .models.start_step_payload import StartStepPayload
    from .models.steering_message_payload import SteeringMessagePayload
    from .models.text_delta_payload import TextDeltaPayload
    from .models.text_end_payload import TextEndPayload
    from .models.text_part import TextPart
    from .models.text_start_payload import TextStartPayload
    from .models.token_usage import TokenUsage
    from .models.tool_approval_request_payload import ToolApprovalRequestPayload
    from .models.tool_approval_response_payload import ToolApprovalResponsePayload
    from .models.tool_input_available_payload import ToolInputAvailablePayload
    from .models.tool_input_delta_payload import ToolInputDeltaPayload
    from .models.tool_input_error_payload import ToolInputErrorPayload
    from .models.tool_input_start_payload import ToolInputStartPayload
    from .models.tool_output_available_payload import ToolOutputAvailablePayload
    from .models.tool_output_denied_payload import ToolOutputDeniedPayload
    from .models.tool_output_error_payload import ToolOutputErrorPayload
    from .models.tool_part import ToolPart

    def part(data: dict[str, Any]) -> AnswerPart:
        kind = str(data["type"])
        if kind == "text":
            return TextPart.from_dict(data)
        if kind.startswith("tool-"):
            return ToolPart.from_dict(data)
        return OtherPart.from_dict(data)

    return StreamFormat(
        terminator="[DONE]",
        error_type="error",
        error_text="errorText",
        events=EventTable(
            {
                "start": StartPayload.from_event,
                "start-step": StartStepPayload.from_event,
                "text-start": TextStartPayload.from_event,
                "text-delta": TextDeltaPayload.from_event,
                "text-end": TextEndPayload.from_event,
                "finish-step": FinishStepPayload.from_event,
                "finish": FinishPayload.from_event,
                "error": ErrorPayload.from_event,
                "abort": AbortPayload.from_event,
                "reset-step": ResetStepPayload.from_event,
                "message-metadata": MessageMetadataPayload.from_event,
                "reasoning-start": ReasoningStartPayload.from_event,
                "reasoning-delta": ReasoningDeltaPayload.from_event,
                "reasoning-end": ReasoningEndPayload.from_event,
                "reasoning-file": ReasoningFilePayload.from_event,
                "source-url": SourceUrlPayload.from_event,
                "source-document": SourceDocumentPayload.from_event,
                "file": FilePayload.from_event,
                "tool-input-start": ToolInputStartPayload.from_event,
                "tool-input-delta": ToolInputDeltaPayload.from_event,
                "tool-input-available": ToolInputAvailablePayload.from_event,
                "tool-input-error": ToolInputErrorPayload.from_event,
                "tool-approval-request": ToolApprovalRequestPayload.from_event,
                "tool-approval-response": ToolApprovalResponsePayload.from_event,
                "tool-output-available": ToolOutputAvailablePayload.from_event,
                "tool-output-error": ToolOutputErrorPayload.from_event,
                "tool-output-denied": ToolOutputDeniedPayload.from_event,
                "steering-message": SteeringMessagePayload.from_event,
                "custom": CustomPayload.from_event,
            },
            {
                "data-": DataPayload.from_event,
            },
            OtherPayload.from_event,
        ),
        part=part,
        usage=TokenUsage.from_dict,
    )


def _read_get_project(response: httpx.Response) -> Project:
    from .models.project import Project

    return Project.from_dict(response.json())


def _read_get_qnas(response: httpx.Response) -> QnaList:
    from .models.qna_list import QnaList

    return QnaList.from_dict(response.json())


def _read_get_qna(response: httpx.Response) -> Qna:
    from .models.qna import Qna

    return Qna.from_dict(response.json())


def _read_search(response: httpx.Response) -> SearchResults:
    from .models.search_results import SearchResults

    return SearchResults.from_dict(response.json())


_CONNECT_CONVERSATION = OperationInfo("connectConversation", "GET", False, ("apiKey",))


@cache
def _connect_conversation_format() -> SocketFormat:
    from siteassist_runtime.live.socket_format import MissedMessages, SocketFormat

    from .models.socket_human_assigned import SocketHumanAssigned
    from .models.socket_new_message import SocketNewMessage
    from .models.socket_other_message import SocketOtherMessage

    def event(message: Message, conversation_id: str) -> SocketNewMessage:
        return SocketNewMessage.from_dict(
            {
                "type": "new_message",
                "chatId": conversation_id,
                "message": message.to_dict(),
            }
        )

    return SocketFormat(
        operation=_CONNECT_CONVERSATION,
        ping="ping",
        pong="pong",
        ping_interval=30,
        idle_limit=60,
        first_delay=1,
        longest_delay=30,
        events=EventTable(
            {
                "new_message": SocketNewMessage.from_dict,
                "human_assigned": SocketHumanAssigned.from_dict,
            },
            {},
            SocketOtherMessage.from_dict,
        ),
        missed=MissedMessages(
            operation=_GET_MESSAGES,
            reader=_read_get_messages,
            page=_GET_MESSAGES_PAGE,
            parameters={
                "role": "human_agent",
            },
            attributes={
                "role": "human_agent",
            },
            carrier="message",
            event=event,
        ),
    )


def _connect_conversation_place(conversation_id: UUID | str, key: str | None) -> Place:
    from siteassist_runtime.live.socket_format import Place

    place = segment(conversation_id, "conversation_id")
    return Place(
        str(conversation_id),
        f"/conversations/{place}/ws",
        f"/conversations/{place}/messages",
        {"apiKey": key},
    )


class SiteAssist:
    """A client of the SiteAssist API, with a method for every operation.

    Use it in a `with` block, or call `close()`. Threads can share a client, and
    both processes can use it after a fork. See docs/how-to/client.md.
    """

    def __init__(
        self,
        *,
        token: str | Callable[[], str] | None = None,
        api_key: str | None = None,
        device_id: str | None = None,
        base_url: str | URL | None = None,
        timeout: float | StepLimits | None = 60.0,
        idle_timeout: float | None = 60.0,
        max_retries: int = 2,
        max_retry_wait: float | None = 60.0,
        max_response_bytes: int | None = 64 * 1024 * 1024,
        headers: Mapping[str, str] | None = None,
        transport: Transport | None = None,
        http_client: HTTPClient | None = None,
        http_library: LibraryName | None = None,
    ) -> None:
        """Create a client.

        Args:
            token: A session token or a private key (`sk_…`), sent unchanged, or a function that
                returns one, which is called before each attempt. Defaults to the
                environment variable `SITEASSIST_TOKEN` if `api_key` is not given either.
            api_key: A publishable key (`pk_…`). The client starts a visitor's session with it, and
                a new session when the current one has expired. Defaults to the environment
                variable `SITEASSIST_API_KEY`.
            device_id: The device's own identifier, 1 to 100 characters. The service returns the
                same visitor for the same identifier. Defaults to a new identifier; to reuse it,
                store the attribute `device_id`.
            base_url: The URL of the service, including its version. Defaults to the environment
                variable `SITEASSIST_BASE_URL`, or to `DEFAULT_BASE_URL` if that is not set.
            timeout: Time limit in seconds for a whole call, including retries; None for no limit.
                For a stream, the time until it begins. An `httpx.Timeout` limits each step of an
                attempt instead, as in httpx, and not the whole call.
            idle_timeout: Maximum time in seconds between two events of a stream; None for no limit.
            max_retries: Maximum number of retries; a call is retried only if that is safe.
            max_retry_wait: Maximum wait in seconds that the service can state before a retry; None
                for no limit. If it states a longer wait, its error is raised at once.
            max_response_bytes: Maximum size of a response in bytes, unpacked; None for no limit.
                Streams have no limit, only their events have.
            headers: Additional headers for every call.
            transport: The transport that sends the requests, for example an `httpx.MockTransport`.
                It remains yours: this client does not close it.
            http_client: An `httpx.Client` that sends the requests, with its own proxies, event
                hooks, limits and headers. It remains yours: this client does not close it.
            http_library: `httpx`, or `httpx2`, its continuation (`pip install 'siteassist[httpx2]'`).
                Defaults to the one that `transport` or `http_client` belongs to, or to `httpx`.

        Raises:
            SiteAssistError: An argument is invalid.
        """
        library = choose_library(http_library, transport, http_client, awaited=False)
        self._settings = ClientSettings(
            token=token,
            api_key=api_key,
            device_id=device_id,
            base_url=base_url,
            default_base_url=DEFAULT_BASE_URL,
            timeout=timeout,
            idle_timeout=idle_timeout,
            max_retries=max_retries,
            max_retry_wait=max_retry_wait,
            max_response_bytes=max_response_bytes,
            headers=headers,
            user_agent=_USER_AGENT,
        )
        self._caller = Caller(
            self._settings,
            _SERVICE,
            library=library,
            transport=transport,
            http_client=http_client,
        )

    def with_options(
        self,
        *,
        timeout: float | StepLimits | None | Unset = UNSET,
        idle_timeout: float | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        max_retry_wait: float | None | Unset = UNSET,
        max_response_bytes: int | None | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return a client for the same visitor with other options.

        It uses the connections and the session of this client. Closing it closes no connection.

        Args:
            timeout: As in the constructor. Options that are not given stay as they are.
            idle_timeout: As in the constructor.
            max_retries: As in the constructor.
            max_retry_wait: As in the constructor.
            max_response_bytes: As in the constructor.
            extra_headers: Additional headers for every call.
            extra_query: Additional query parameters for every call.
            extra_body: Additional properties of the body of every call that has one.

        Raises:
            SiteAssistError: An argument is invalid.
        """
        settings = self._settings.with_options(
            timeout=timeout,
            idle_timeout=idle_timeout,
            max_retries=max_retries,
            max_retry_wait=max_retry_wait,
            max_response_bytes=max_response_bytes,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )
        return self._derive(settings, same_session=True)

    def visitor(self, *, device_id: str | None = None) -> Self:
        """Return a client for another visitor, with the options of this one.

        It starts a session of its own when its first call needs one, and uses the connections of
        this client. Closing it closes no connection. A client for a visitor is cheap: a web server
        can make one for each request.

        Args:
            device_id: The device's own identifier, 1 to 100 characters. Defaults to a new one.

        Raises:
            CredentialsError: This client has no publishable key.
            SiteAssistError: The argument is invalid.
        """
        return self._derive(self._settings.for_visitor(device_id), same_session=False)

    def _derive(self, settings: ClientSettings, *, same_session: bool) -> Self:
        client = object.__new__(type(self))
        client.__dict__.update(self.__dict__)
        client._settings = settings
        client._caller = self._caller.derive(settings, same_session=same_session)
        return client

    @property
    def with_raw_response(self) -> RawSiteAssist:
        """The methods of this client, returning the response as well: see `RawResponse`."""
        return RawSiteAssist(self)

    @property
    def device_id(self) -> str:
        """The device's own identifier, given or generated."""
        return self._settings.device_id

    @property
    def base_url(self) -> str:
        """The URL of the service, including its version."""
        return self._settings.base_url

    def __repr__(self) -> str:
        """Show the base URL and the kind of credential, but not the credential."""
        return f"{type(self).__name__}({self._settings!r})"

    def __reduce__(self) -> Any:
        """Refuse to be pickled."""
        return self._caller.__reduce__()

    def _own(self, operation: OperationInfo, name: str, value: str | None) -> str:
        """Return the argument of a call, or the client's setting if the argument is None.

        Raises `CredentialsError` if both are None.
        """
        found = getattr(self._settings, name) if value is None else value
        if found is None:
            msg = f"{name} is needed: pass it to the call or to the client, or set SITEASSIST_{name.upper()}"
            raise CredentialsError(msg, operation=operation.name)
        return str(found)

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections; later calls raise."""
        self._caller.close()

    def init(
        self,
        *,
        api_key: str | None = None,
        sa_vid: str | None = None,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> VisitorSession:
        """Initialize a visitor session.

        Exchanges a publishable key and a device's own identifier for a session
        token. The same device always gets the same visitor back: 201 when it
        is seen for the first time, 200 from then on. Call it again when a
        token has expired.

        Args:
            api_key: The project's publishable key. At least 1 character. Defaults to the client's setting.
            sa_vid: The device's own identifier. Choose it once, keep it on the device,
                and send the same one every time. From 1 to 100 characters. Defaults to the client's setting.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            200: The device is known; its visitor has a new session.
            201: The device is new; a visitor was created for it.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: Neither the call nor the client has a publishable key.

        Reference: `POST /identity/init` (`init`) of the SiteAssist API 2.0.0.
        """

        session = self._caller.call(
            _INIT,
            "/identity/init",
            _read_init,
            body={
                "apiKey": self._own(_INIT, "api_key", api_key),
                "saVid": self._own(_INIT, "device_id", sa_vid),
            },
            body_required=True,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )
        # A new session for the client's own key and device replaces the current one.
        self._caller.adopt(
            session.session_token,
            self._settings.api_key if api_key is None else api_key,
            self._settings.device_id if sa_vid is None else sa_vid,
        )
        return session

    def get_me(
        self,
        *,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> Visitor:
        """Get the current visitor.

        Returns the visitor that the bearer token stands for.

        Args:
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            200: The visitor.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `GET /identity/me` (`getMe`) of the SiteAssist API 2.0.0.
        """

        return self._caller.call(
            _GET_ME,
            "/identity/me",
            _read_get_me,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )

    def get_conversations(
        self,
        *,
        limit: float | Unset = UNSET,
        offset: float | None | Unset = UNSET,
        status: ConversationStatus | Literal["open", "closed"] | Unset = UNSET,
        order_by: ConversationOrderBy
        | Literal[
            "id",
            "createdAt",
            "updatedAt",
            "lastInteractionAt",
            "status",
            "closedAt",
            "isHumanHandled",
            "title",
        ]
        | Unset = UNSET,
        order_dir: OrderDirection | Literal["asc", "desc"] | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> Pages[ConversationSummary, ConversationList]:
        """List conversations.

        Lists the visitor's own conversations in the current project, a page at
        a time. `total` counts all that match, not only those on the page. The
        order is by last interaction, latest first, unless you ask for another.

        No request is sent until the list is read. Iterate over the list to get the items of all pages,
        or use its `page()` or its `total`.

        Args:
            limit: How many entries to return at most. From 1 to 100. `10` if left out.
            offset: How many entries to skip. At least 0. `0` if left out.
            status: Only conversations in this state.
            order_by: The field to sort by. `lastInteractionAt` if left out.
            order_dir: The direction to sort in. `desc` if left out.
            timeout: Time limit in seconds for fetching each page, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            The list, which fetches its pages when they are needed.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `GET /conversations` (`getConversations`) of the SiteAssist API 2.0.0.
        """

        return self._caller.pages(
            _GET_CONVERSATIONS,
            "/conversations",
            _read_get_conversations,
            query={
                "limit": limit,
                "offset": offset,
                "status": status,
                "orderBy": order_by,
                "orderDir": order_dir,
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            names=_GET_CONVERSATIONS_PAGE,
        )

    def start_conversation(
        self,
        *,
        context: ConversationContext | Mapping[str, Any] | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Conversation:
        """Start a conversation.

        Opens a conversation between the visitor and the project's assistant,
        ready to take messages. The body may be left out.

        Args:
            context: Where on the website the conversation starts.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            201: The new conversation.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `POST /conversations` (`startConversation`) of the SiteAssist API 2.0.0.
        """

        return self._caller.call(
            _START_CONVERSATION,
            "/conversations",
            _read_start_conversation,
            body={
                "context": context,
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )

    def get_conversation(
        self,
        conversation_id: UUID | str,
        *,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> Conversation:
        """Get a conversation.

        Returns one of the visitor's own conversations with its messages and,
        if one is assigned, its human agent.

        Args:
            conversation_id: The conversation.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            200: The conversation.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `GET /conversations/{conversationId}` (`getConversation`) of the SiteAssist API 2.0.0.
        """

        return self._caller.call(
            _GET_CONVERSATION,
            f"/conversations/{segment(conversation_id, 'conversation_id')}",
            _read_get_conversation,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )

    def close_conversation(
        self,
        conversation_id: UUID | str,
        *,
        close_reason: str | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> CloseConversationResult:
        """Close a conversation.

        Closes one of the visitor's own conversations for good: a closed
        conversation cannot be reopened. Closing it again is no error. The body
        may be left out.

        Args:
            conversation_id: The conversation.
            close_reason: The reason, in your own words. At most 256 characters.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            200: The conversation is closed, now or since before.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `POST /conversations/{conversationId}/close` (`closeConversation`) of the SiteAssist API 2.0.0.
        """

        return self._caller.call(
            _CLOSE_CONVERSATION,
            f"/conversations/{segment(conversation_id, 'conversation_id')}/close",
            _read_close_conversation,
            body={
                "closeReason": close_reason,
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )

    def get_messages(
        self,
        conversation_id: UUID | str,
        *,
        limit: int | Unset = UNSET,
        offset: int | None | Unset = UNSET,
        role: MessageRole | Literal["assistant", "human_agent", "user"] | Unset = UNSET,
        status: MessageStatus
        | Literal["streaming", "complete", "error"]
        | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> Pages[Message, MessageList]:
        """Retrieve messages from a conversation.

        Lists the messages of one of the visitor's own conversations, oldest
        first: all of them unless `limit` says otherwise.

        No request is sent until the list is read. Iterate over the list to get the items of all pages,
        or use its `page()` or its `total`.

        Args:
            conversation_id: The conversation.
            limit: How many messages to return at most. All if left out. From 1 to 1,000.
            offset: How many messages to skip, counted from the oldest. At least 0. `0` if left out.
            role: Only messages of this author.
            status: Only messages in this state.
            timeout: Time limit in seconds for fetching each page, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            The list, which fetches its pages when they are needed.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `GET /conversations/{conversationId}/messages` (`getMessages`) of the SiteAssist API 2.0.0.
        """

        return self._caller.pages(
            _GET_MESSAGES,
            f"/conversations/{segment(conversation_id, 'conversation_id')}/messages",
            _read_get_messages,
            query={
                "limit": limit,
                "offset": offset,
                "role": role,
                "status": status,
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            names=_GET_MESSAGES_PAGE,
        )

    def send_message(
        self,
        conversation_id: UUID | str,
        *,
        content: str,
        page_context: PageContext | Mapping[str, Any] | None | Unset = UNSET,
        stream: Literal[False] = False,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Completion | QueuedNotice:
        """Send a message in a conversation.

        Sends the visitor's message. The assistant's answer comes back whole,
        as JSON, or, with `stream` set to true, as server-sent events while it
        is being written. While a human agent handles the conversation there is
        no answer to wait for: the message is queued and acknowledged with 202.
        Rate limits and usage quotas are counted per project.

        This method returns the whole answer. `send_message_stream` returns
        it as events while it is being written.

        Args:
            conversation_id: The conversation.
            content: What the visitor says. From 1 to 10,000 characters.
            page_context: The page that the visitor is looking at, if known.
            stream: Always False; `send_message_stream` streams the answer.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            200: The assistant's answer.
            202: The message is stored and waits for the human agent who handles the
                conversation.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `POST /conversations/{conversationId}/messages` (`sendMessage`) of the SiteAssist API 2.0.0.
        """

        if stream:
            msg = "use send_message_stream to stream the answer"
            raise SiteAssistError(msg, operation="sendMessage")
        return self._caller.call(
            _SEND_MESSAGE,
            f"/conversations/{segment(conversation_id, 'conversation_id')}/messages",
            _read_send_message,
            body={
                "content": content,
                "stream": False,
                "pageContext": page_context,
            },
            body_required=True,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )

    def send_message_stream(
        self,
        conversation_id: UUID | str,
        *,
        content: str,
        page_context: PageContext | Mapping[str, Any] | None | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        idle_timeout: float | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Stream[AnswerEvent, AnswerPart, TokenUsage]:
        """Send a message in a conversation and stream the answer.

        Sends the visitor's message. The assistant's answer comes back whole,
        as JSON, or, with `stream` set to true, as server-sent events while it
        is being written. While a human agent handles the conversation there is
        no answer to wait for: the message is queued and acknowledged with 202.
        Rate limits and usage quotas are counted per project.

        The request is sent when the `with` block is entered.
        If a human agent handles the conversation, the stream is empty and its `queued` is set.

        Args:
            conversation_id: The conversation.
            content: What the visitor says. From 1 to 10,000 characters.
            page_context: The page that the visitor is looking at, if known.
            timeout: Time limit in seconds until the answer begins, including retries; None for no limit.
                Defaults to the client's setting.
            idle_timeout: Maximum time in seconds between two events; None for no limit. Defaults to the
                client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            A stream of the answer's events. Open it with `with`.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.
            StreamError: While reading: the service reported that the answer failed.
            StreamTruncatedError: While reading: the stream ended without its terminal marker.
            StreamDecodeError: While reading: the stream contained an invalid event.

        Reference: `POST /conversations/{conversationId}/messages` (`sendMessage`) of the SiteAssist API 2.0.0.
        """

        return self._caller.stream(
            _SEND_MESSAGE,
            f"/conversations/{segment(conversation_id, 'conversation_id')}/messages",
            _send_message_format,
            body={
                "content": content,
                "stream": True,
                "pageContext": page_context,
            },
            body_required=True,
            timeout=timeout,
            idle_timeout=idle_timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
            messages=lambda: self.get_messages(
                conversation_id, extra_headers=extra_headers, extra_query=extra_query
            ),
        )

    def send_message_feedback(
        self,
        message_id: UUID | str,
        *,
        feedback: Feedback | Literal["like", "dislike"] | None,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> MessageFeedback:
        """Submit feedback for a message.

        Stores what the visitor thinks of a message in one of their own
        conversations, and when they said so (`feedbackAt`). A new value
        replaces the old one; null removes it.

        Args:
            message_id: The message.
            feedback: The feedback; null takes it back.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            200: The feedback as it is now stored.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `POST /messages/{messageId}/feedback` (`sendMessageFeedback`) of the SiteAssist API 2.0.0.
        """

        return self._caller.call(
            _SEND_MESSAGE_FEEDBACK,
            f"/messages/{segment(message_id, 'message_id')}/feedback",
            _read_send_message_feedback,
            body={
                "feedback": feedback,
            },
            body_required=True,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )

    def create_chat_completion(
        self,
        *,
        messages: Sequence[ChatMessage | Mapping[str, Any]],
        assistant_id: UUID | str | Unset = UNSET,
        stream: Literal[False] = False,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Completion:
        """Create a chat completion.

        Lets an assistant answer a list of messages that you keep yourself. The
        answer has the same two forms as a message's: JSON with the token usage,
        or, with `stream` set to true, server-sent events. The bearer is a
        private key or a session token.

        This method returns the whole answer. `create_chat_completion_stream` returns
        it as events while it is being written.

        Args:
            messages: The messages so far, oldest first.
            assistant_id: Identifies an assistant.
            stream: Always False; `create_chat_completion_stream` streams the answer.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            200: The assistant's answer.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `POST /chat/completions` (`createChatCompletion`) of the SiteAssist API 2.0.0.
        """

        if stream:
            msg = "use create_chat_completion_stream to stream the answer"
            raise SiteAssistError(msg, operation="createChatCompletion")
        return self._caller.call(
            _CREATE_CHAT_COMPLETION,
            "/chat/completions",
            _read_create_chat_completion,
            body={
                "messages": messages,
                "assistantId": assistant_id,
                "stream": False,
            },
            body_required=True,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )

    def create_chat_completion_stream(
        self,
        *,
        messages: Sequence[ChatMessage | Mapping[str, Any]],
        assistant_id: UUID | str | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        idle_timeout: float | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Stream[AnswerEvent, AnswerPart, TokenUsage]:
        """Create a chat completion and stream the answer.

        Lets an assistant answer a list of messages that you keep yourself. The
        answer has the same two forms as a message's: JSON with the token usage,
        or, with `stream` set to true, server-sent events. The bearer is a
        private key or a session token.

        The request is sent when the `with` block is entered.

        Args:
            messages: The messages so far, oldest first.
            assistant_id: Identifies an assistant.
            timeout: Time limit in seconds until the answer begins, including retries; None for no limit.
                Defaults to the client's setting.
            idle_timeout: Maximum time in seconds between two events; None for no limit. Defaults to the
                client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            A stream of the answer's events. Open it with `with`.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.
            StreamError: While reading: the service reported that the answer failed.
            StreamTruncatedError: While reading: the stream ended without its terminal marker.
            StreamDecodeError: While reading: the stream contained an invalid event.

        Reference: `POST /chat/completions` (`createChatCompletion`) of the SiteAssist API 2.0.0.
        """

        return self._caller.stream(
            _CREATE_CHAT_COMPLETION,
            "/chat/completions",
            _create_chat_completion_format,
            body={
                "messages": messages,
                "assistantId": assistant_id,
                "stream": True,
            },
            body_required=True,
            timeout=timeout,
            idle_timeout=idle_timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )

    def get_project(
        self,
        *,
        api_key: str | None = None,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> Project:
        """Get the current project.

        Returns the project that a publishable key belongs to, with the
        settings of its chat widget.

        Args:
            api_key: The project's publishable key. Defaults to the client's setting.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            200: The project.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            InternalServerError: 500. The service failed unexpectedly.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: Neither the call nor the client has a publishable key.

        Reference: `GET /projects/current` (`getProject`) of the SiteAssist API 2.0.0.
        """

        return self._caller.call(
            _GET_PROJECT,
            "/projects/current",
            _read_get_project,
            query={
                "apiKey": self._own(_GET_PROJECT, "api_key", api_key),
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )

    def get_qnas(
        self,
        project_id: UUID | str,
        *,
        query: str | Unset = UNSET,
        limit: float | Unset = UNSET,
        offset: float | None | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> Pages[Qna, QnaList]:
        """List Q&As.

        Lists the questions and answers that a project has published, a page at
        a time, or those whose question matches a full-text query.

        No request is sent until the list is read. Iterate over the list to get the items of all pages,
        or use its `page()` or its `total`.

        Args:
            project_id: The project.
            query: Words to look for in the questions. At most 300 characters.
            limit: How many entries to return at most. From 1 to 100. `10` if left out.
            offset: How many entries to skip. At least 0. `0` if left out.
            timeout: Time limit in seconds for fetching each page, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            The list, which fetches its pages when they are needed.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.

        Reference: `GET /projects/{projectId}/qnas` (`getQnas`) of the SiteAssist API 2.0.0.
        """

        return self._caller.pages(
            _GET_QNAS,
            f"/projects/{segment(project_id, 'project_id')}/qnas",
            _read_get_qnas,
            query={
                "query": query,
                "limit": limit,
                "offset": offset,
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            names=_GET_QNAS_PAGE,
        )

    def get_qna(
        self,
        project_id: UUID | str,
        qna_id: UUID | str,
        *,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> Qna:
        """Get a Q&A.

        Returns one of a project's questions with its answer.

        Args:
            project_id: The project.
            qna_id: The question with its answer.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            200: The question and its answer.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.

        Reference: `GET /projects/{projectId}/qnas/{qnaId}` (`getQna`) of the SiteAssist API 2.0.0.
        """

        return self._caller.call(
            _GET_QNA,
            f"/projects/{segment(project_id, 'project_id')}/qnas/{segment(qna_id, 'qna_id')}",
            _read_get_qna,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )

    def search(
        self,
        *,
        q: str,
        size: float | Unset = UNSET,
        api_key: str | None = None,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> SearchResults:
        """Search the knowledge base.

        Finds the pages, and where a shop is connected the products, of a
        project's knowledge base whose meaning is nearest to the query.

        Args:
            q: What to look for. From 1 to 500 characters.
            size: How many results to return at most. From 1 to 50. `10` if left out.
            api_key: The project's publishable key. Defaults to the client's setting.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            200: The results.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: Neither the call nor the client has a publishable key.

        Reference: `GET /search` (`search`) of the SiteAssist API 2.0.0.
        """

        return self._caller.call(
            _SEARCH,
            "/search",
            _read_search,
            query={
                "q": q,
                "size": size,
                "apiKey": self._own(_SEARCH, "api_key", api_key),
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )

    def listen(
        self,
        conversation_id: UUID | str,
        *,
        api_key: str | None = None,
        after: UUID | str | None = None,
        timeout: float | None = None,
        idle_timeout: float | None = None,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> Listener[SocketEvent]:
        """Listen to a conversation.

        Opens a WebSocket, on which the service reports that a human agent has
        taken over the conversation, and sends what that agent writes.

        Iterate over the listener with `for`. It connects when the first event is asked for,
        keeps the connection alive, and connects again when it breaks. Messages that were sent
        meanwhile are read with `get_messages` and delivered in order, with `caught_up` set.
        It needs `pip install 'siteassist[live]'`.

        Args:
            conversation_id: The conversation.
            api_key: The project's publishable key. Defaults to the client's setting.
            after: The id of the last message from a human agent that you already have: those
                after it are delivered before any new ones. Defaults to the last such message
                in the conversation.
            timeout: Time limit in seconds for listening; None for no limit.
            idle_timeout: Maximum time in seconds between two events; None for no limit.
            extra_headers: Additional headers for every call.
            extra_query: Additional query parameters for every call.

        Returns:
            The listener. Leave it with `with`, or close it, to close the connection.

        Raises:
            BadRequestError: While listening: 400. The body or a parameter is malformed.
            UnauthorizedError: While listening: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: While listening: 402. The feature needs a higher pricing plan.
            ForbiddenError: While listening: 403. The credential does not permit this.
            NotFoundError: While listening: 404. There is no such resource.
            ConflictError: While listening: 409. The resource's current state does not allow this.
            UnprocessableEntityError: While listening: 422. The request is well-formed, but a value in it is not acceptable.
            APIStatusError: Any other error status; the base class of the errors above. Once it
                listens, it tries again after those that may pass (408, 429, 5xx).
            APIResponseError: The service did not open a WebSocket, or its list of messages does not
                match the description.
            APITimeoutError: A limit was exceeded.
            APIConnectionError: The service could not be reached at first.
            CredentialsError: Neither the call nor the client has a publishable key.
            SiteAssistError: The library for WebSockets is not installed, or an argument is invalid.

        Reference: `GET /conversations/{conversationId}/ws` (`connectConversation`) of the SiteAssist API 2.0.0.
        """
        key = self._own(_CONNECT_CONVERSATION, "api_key", api_key)
        return self._caller.listen(
            _connect_conversation_format(),
            _connect_conversation_place(conversation_id, key),
            after=None if after is None else str(after),
            timeout=timeout,
            idle_timeout=idle_timeout,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )

    def ask(
        self,
        conversation_id: UUID | str,
        content: str,
        *,
        page_context: PageContext | Mapping[str, Any] | None | Unset = UNSET,
        wait: float | None = 60.0,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Completion | Message:
        """Send a message and wait for its answer, even if a human agent writes it.

        It calls `send_message`. If a human agent handles the conversation, it waits for the
        agent's next message: with `siteassist[live]` it listens to the conversation. Without it,
        or while the socket cannot be opened, it reads the messages every 2 seconds.

        Args:
            conversation_id: The conversation.
            content: What the visitor says. From 1 to 10,000 characters.
            page_context: The page that the visitor is looking at, if known.
            wait: Maximum time in seconds to wait for a human agent; None for no limit.
            timeout: Time limit in seconds for sending the message, including retries; None for no
                limit. Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults
                to the client's setting.
            extra_headers: Additional headers for every call.
            extra_query: Additional query parameters for every call.
            extra_body: Additional properties of the body of the message.

        Returns:
            The assistant's answer, or the agent's message; both have a `text`.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the
                description.
            AnswerTimeoutError: The message was sent, but no human agent answered in time. Its
                `message_id` is that of the message.
            APITimeoutError: The message could not be sent in time.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `sendMessage` and `connectConversation` of the SiteAssist API 2.0.0.
        """
        limit = seconds("wait", wait)
        answer = self.send_message(
            conversation_id,
            content=content,
            page_context=page_context,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )
        if not isinstance(answer, QueuedNotice):
            return answer
        reply: Message = self._caller.wait_for_reply(
            _connect_conversation_format(),
            _connect_conversation_place(conversation_id, self._settings.api_key),
            _SEND_MESSAGE,
            content,
            limit,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )
        return reply


class AsyncSiteAssist:
    """An asynchronous client of the SiteAssist API, with a method for every operation.

    Use it in an `async with` block, or await `aclose()`. Tasks can share a client,
    and it can be used on several event loops in turn. See docs/how-to/client.md.
    """

    def __init__(
        self,
        *,
        token: str | Callable[[], str | Awaitable[str]] | None = None,
        api_key: str | None = None,
        device_id: str | None = None,
        base_url: str | URL | None = None,
        timeout: float | StepLimits | None = 60.0,
        idle_timeout: float | None = 60.0,
        max_retries: int = 2,
        max_retry_wait: float | None = 60.0,
        max_response_bytes: int | None = 64 * 1024 * 1024,
        headers: Mapping[str, str] | None = None,
        transport: AsyncTransport | None = None,
        http_client: AsyncHTTPClient | None = None,
        http_library: LibraryName | None = None,
    ) -> None:
        """Create a client.

        Args:
            token: A session token or a private key (`sk_…`), sent unchanged, or a function that
                returns one, which is called before each attempt and may be a coroutine function. Defaults to the
                environment variable `SITEASSIST_TOKEN` if `api_key` is not given either.
            api_key: A publishable key (`pk_…`). The client starts a visitor's session with it, and
                a new session when the current one has expired. Defaults to the environment
                variable `SITEASSIST_API_KEY`.
            device_id: The device's own identifier, 1 to 100 characters. The service returns the
                same visitor for the same identifier. Defaults to a new identifier; to reuse it,
                store the attribute `device_id`.
            base_url: The URL of the service, including its version. Defaults to the environment
                variable `SITEASSIST_BASE_URL`, or to `DEFAULT_BASE_URL` if that is not set.
            timeout: Time limit in seconds for a whole call, including retries; None for no limit.
                For a stream, the time until it begins. An `httpx.Timeout` limits each step of an
                attempt instead, as in httpx, and not the whole call.
            idle_timeout: Maximum time in seconds between two events of a stream; None for no limit.
            max_retries: Maximum number of retries; a call is retried only if that is safe.
            max_retry_wait: Maximum wait in seconds that the service can state before a retry; None
                for no limit. If it states a longer wait, its error is raised at once.
            max_response_bytes: Maximum size of a response in bytes, unpacked; None for no limit.
                Streams have no limit, only their events have.
            headers: Additional headers for every call.
            transport: The transport that sends the requests, for example an `httpx.MockTransport`.
                It remains yours: this client does not close it.
            http_client: An `httpx.AsyncClient` that sends the requests, with its own proxies, event
                hooks, limits and headers. It remains yours: this client does not close it.
            http_library: `httpx`, or `httpx2`, its continuation (`pip install 'siteassist[httpx2]'`).
                Defaults to the one that `transport` or `http_client` belongs to, or to `httpx`.

        Raises:
            SiteAssistError: An argument is invalid.
        """
        from siteassist_runtime.async_driver import AsyncCaller

        library = choose_library(http_library, transport, http_client, awaited=True)
        self._settings = ClientSettings(
            token=token,
            api_key=api_key,
            device_id=device_id,
            base_url=base_url,
            default_base_url=DEFAULT_BASE_URL,
            timeout=timeout,
            idle_timeout=idle_timeout,
            max_retries=max_retries,
            max_retry_wait=max_retry_wait,
            max_response_bytes=max_response_bytes,
            headers=headers,
            user_agent=_USER_AGENT,
        )
        self._caller = AsyncCaller(
            self._settings,
            _SERVICE,
            library=library,
            transport=transport,
            http_client=http_client,
        )

    def with_options(
        self,
        *,
        timeout: float | StepLimits | None | Unset = UNSET,
        idle_timeout: float | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        max_retry_wait: float | None | Unset = UNSET,
        max_response_bytes: int | None | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return a client for the same visitor with other options.

        It uses the connections and the session of this client. Closing it closes no connection.

        Args:
            timeout: As in the constructor. Options that are not given stay as they are.
            idle_timeout: As in the constructor.
            max_retries: As in the constructor.
            max_retry_wait: As in the constructor.
            max_response_bytes: As in the constructor.
            extra_headers: Additional headers for every call.
            extra_query: Additional query parameters for every call.
            extra_body: Additional properties of the body of every call that has one.

        Raises:
            SiteAssistError: An argument is invalid.
        """
        settings = self._settings.with_options(
            timeout=timeout,
            idle_timeout=idle_timeout,
            max_retries=max_retries,
            max_retry_wait=max_retry_wait,
            max_response_bytes=max_response_bytes,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )
        return self._derive(settings, same_session=True)

    def visitor(self, *, device_id: str | None = None) -> Self:
        """Return a client for another visitor, with the options of this one.

        It starts a session of its own when its first call needs one, and uses the connections of
        this client. Closing it closes no connection. A client for a visitor is cheap: a web server
        can make one for each request.

        Args:
            device_id: The device's own identifier, 1 to 100 characters. Defaults to a new one.

        Raises:
            CredentialsError: This client has no publishable key.
            SiteAssistError: The argument is invalid.
        """
        return self._derive(self._settings.for_visitor(device_id), same_session=False)

    def _derive(self, settings: ClientSettings, *, same_session: bool) -> Self:
        client = object.__new__(type(self))
        client.__dict__.update(self.__dict__)
        client._settings = settings
        client._caller = self._caller.derive(settings, same_session=same_session)
        return client

    @property
    def with_raw_response(self) -> AsyncRawSiteAssist:
        """The methods of this client, returning the response as well: see `RawResponse`."""
        return AsyncRawSiteAssist(self)

    @property
    def device_id(self) -> str:
        """The device's own identifier, given or generated."""
        return self._settings.device_id

    @property
    def base_url(self) -> str:
        """The URL of the service, including its version."""
        return self._settings.base_url

    def __repr__(self) -> str:
        """Show the base URL and the kind of credential, but not the credential."""
        return f"{type(self).__name__}({self._settings!r})"

    def __reduce__(self) -> Any:
        """Refuse to be pickled."""
        return self._caller.__reduce__()

    def _own(self, operation: OperationInfo, name: str, value: str | None) -> str:
        """Return the argument of a call, or the client's setting if the argument is None.

        Raises `CredentialsError` if both are None.
        """
        found = getattr(self._settings, name) if value is None else value
        if found is None:
            msg = f"{name} is needed: pass it to the call or to the client, or set SITEASSIST_{name.upper()}"
            raise CredentialsError(msg, operation=operation.name)
        return str(found)

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; later calls raise."""
        await self._caller.close()

    async def init(
        self,
        *,
        api_key: str | None = None,
        sa_vid: str | None = None,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> VisitorSession:
        """Initialize a visitor session.

        Exchanges a publishable key and a device's own identifier for a session
        token. The same device always gets the same visitor back: 201 when it
        is seen for the first time, 200 from then on. Call it again when a
        token has expired.

        Args:
            api_key: The project's publishable key. At least 1 character. Defaults to the client's setting.
            sa_vid: The device's own identifier. Choose it once, keep it on the device,
                and send the same one every time. From 1 to 100 characters. Defaults to the client's setting.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            200: The device is known; its visitor has a new session.
            201: The device is new; a visitor was created for it.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: Neither the call nor the client has a publishable key.

        Reference: `POST /identity/init` (`init`) of the SiteAssist API 2.0.0.
        """

        session = await self._caller.call(
            _INIT,
            "/identity/init",
            _read_init,
            body={
                "apiKey": self._own(_INIT, "api_key", api_key),
                "saVid": self._own(_INIT, "device_id", sa_vid),
            },
            body_required=True,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )
        # A new session for the client's own key and device replaces the current one.
        self._caller.adopt(
            session.session_token,
            self._settings.api_key if api_key is None else api_key,
            self._settings.device_id if sa_vid is None else sa_vid,
        )
        return session

    async def get_me(
        self,
        *,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> Visitor:
        """Get the current visitor.

        Returns the visitor that the bearer token stands for.

        Args:
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            200: The visitor.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `GET /identity/me` (`getMe`) of the SiteAssist API 2.0.0.
        """

        return await self._caller.call(
            _GET_ME,
            "/identity/me",
            _read_get_me,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )

    def get_conversations(
        self,
        *,
        limit: float | Unset = UNSET,
        offset: float | None | Unset = UNSET,
        status: ConversationStatus | Literal["open", "closed"] | Unset = UNSET,
        order_by: ConversationOrderBy
        | Literal[
            "id",
            "createdAt",
            "updatedAt",
            "lastInteractionAt",
            "status",
            "closedAt",
            "isHumanHandled",
            "title",
        ]
        | Unset = UNSET,
        order_dir: OrderDirection | Literal["asc", "desc"] | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> AsyncPages[ConversationSummary, ConversationList]:
        """List conversations.

        Lists the visitor's own conversations in the current project, a page at
        a time. `total` counts all that match, not only those on the page. The
        order is by last interaction, latest first, unless you ask for another.

        No request is sent until the list is read. Iterate over the list to get the items of all pages,
        or use its `page()` or its `total`.

        Args:
            limit: How many entries to return at most. From 1 to 100. `10` if left out.
            offset: How many entries to skip. At least 0. `0` if left out.
            status: Only conversations in this state.
            order_by: The field to sort by. `lastInteractionAt` if left out.
            order_dir: The direction to sort in. `desc` if left out.
            timeout: Time limit in seconds for fetching each page, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            The list, which fetches its pages when they are needed.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `GET /conversations` (`getConversations`) of the SiteAssist API 2.0.0.
        """

        return self._caller.pages(
            _GET_CONVERSATIONS,
            "/conversations",
            _read_get_conversations,
            query={
                "limit": limit,
                "offset": offset,
                "status": status,
                "orderBy": order_by,
                "orderDir": order_dir,
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            names=_GET_CONVERSATIONS_PAGE,
        )

    async def start_conversation(
        self,
        *,
        context: ConversationContext | Mapping[str, Any] | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Conversation:
        """Start a conversation.

        Opens a conversation between the visitor and the project's assistant,
        ready to take messages. The body may be left out.

        Args:
            context: Where on the website the conversation starts.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            201: The new conversation.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `POST /conversations` (`startConversation`) of the SiteAssist API 2.0.0.
        """

        return await self._caller.call(
            _START_CONVERSATION,
            "/conversations",
            _read_start_conversation,
            body={
                "context": context,
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )

    async def get_conversation(
        self,
        conversation_id: UUID | str,
        *,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> Conversation:
        """Get a conversation.

        Returns one of the visitor's own conversations with its messages and,
        if one is assigned, its human agent.

        Args:
            conversation_id: The conversation.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            200: The conversation.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `GET /conversations/{conversationId}` (`getConversation`) of the SiteAssist API 2.0.0.
        """

        return await self._caller.call(
            _GET_CONVERSATION,
            f"/conversations/{segment(conversation_id, 'conversation_id')}",
            _read_get_conversation,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )

    async def close_conversation(
        self,
        conversation_id: UUID | str,
        *,
        close_reason: str | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> CloseConversationResult:
        """Close a conversation.

        Closes one of the visitor's own conversations for good: a closed
        conversation cannot be reopened. Closing it again is no error. The body
        may be left out.

        Args:
            conversation_id: The conversation.
            close_reason: The reason, in your own words. At most 256 characters.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            200: The conversation is closed, now or since before.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `POST /conversations/{conversationId}/close` (`closeConversation`) of the SiteAssist API 2.0.0.
        """

        return await self._caller.call(
            _CLOSE_CONVERSATION,
            f"/conversations/{segment(conversation_id, 'conversation_id')}/close",
            _read_close_conversation,
            body={
                "closeReason": close_reason,
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )

    def get_messages(
        self,
        conversation_id: UUID | str,
        *,
        limit: int | Unset = UNSET,
        offset: int | None | Unset = UNSET,
        role: MessageRole | Literal["assistant", "human_agent", "user"] | Unset = UNSET,
        status: MessageStatus
        | Literal["streaming", "complete", "error"]
        | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> AsyncPages[Message, MessageList]:
        """Retrieve messages from a conversation.

        Lists the messages of one of the visitor's own conversations, oldest
        first: all of them unless `limit` says otherwise.

        No request is sent until the list is read. Iterate over the list to get the items of all pages,
        or use its `page()` or its `total`.

        Args:
            conversation_id: The conversation.
            limit: How many messages to return at most. All if left out. From 1 to 1,000.
            offset: How many messages to skip, counted from the oldest. At least 0. `0` if left out.
            role: Only messages of this author.
            status: Only messages in this state.
            timeout: Time limit in seconds for fetching each page, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            The list, which fetches its pages when they are needed.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `GET /conversations/{conversationId}/messages` (`getMessages`) of the SiteAssist API 2.0.0.
        """

        return self._caller.pages(
            _GET_MESSAGES,
            f"/conversations/{segment(conversation_id, 'conversation_id')}/messages",
            _read_get_messages,
            query={
                "limit": limit,
                "offset": offset,
                "role": role,
                "status": status,
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            names=_GET_MESSAGES_PAGE,
        )

    async def send_message(
        self,
        conversation_id: UUID | str,
        *,
        content: str,
        page_context: PageContext | Mapping[str, Any] | None | Unset = UNSET,
        stream: Literal[False] = False,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Completion | QueuedNotice:
        """Send a message in a conversation.

        Sends the visitor's message. The assistant's answer comes back whole,
        as JSON, or, with `stream` set to true, as server-sent events while it
        is being written. While a human agent handles the conversation there is
        no answer to wait for: the message is queued and acknowledged with 202.
        Rate limits and usage quotas are counted per project.

        This method returns the whole answer. `send_message_stream` returns
        it as events while it is being written.

        Args:
            conversation_id: The conversation.
            content: What the visitor says. From 1 to 10,000 characters.
            page_context: The page that the visitor is looking at, if known.
            stream: Always False; `send_message_stream` streams the answer.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            200: The assistant's answer.
            202: The message is stored and waits for the human agent who handles the
                conversation.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `POST /conversations/{conversationId}/messages` (`sendMessage`) of the SiteAssist API 2.0.0.
        """

        if stream:
            msg = "use send_message_stream to stream the answer"
            raise SiteAssistError(msg, operation="sendMessage")
        return await self._caller.call(
            _SEND_MESSAGE,
            f"/conversations/{segment(conversation_id, 'conversation_id')}/messages",
            _read_send_message,
            body={
                "content": content,
                "stream": False,
                "pageContext": page_context,
            },
            body_required=True,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )

    def send_message_stream(
        self,
        conversation_id: UUID | str,
        *,
        content: str,
        page_context: PageContext | Mapping[str, Any] | None | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        idle_timeout: float | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> AsyncStream[AnswerEvent, AnswerPart, TokenUsage]:
        """Send a message in a conversation and stream the answer.

        Sends the visitor's message. The assistant's answer comes back whole,
        as JSON, or, with `stream` set to true, as server-sent events while it
        is being written. While a human agent handles the conversation there is
        no answer to wait for: the message is queued and acknowledged with 202.
        Rate limits and usage quotas are counted per project.

        The request is sent when the `async with` block is entered.
        If a human agent handles the conversation, the stream is empty and its `queued` is set.

        Args:
            conversation_id: The conversation.
            content: What the visitor says. From 1 to 10,000 characters.
            page_context: The page that the visitor is looking at, if known.
            timeout: Time limit in seconds until the answer begins, including retries; None for no limit.
                Defaults to the client's setting.
            idle_timeout: Maximum time in seconds between two events; None for no limit. Defaults to the
                client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            A stream of the answer's events. Open it with `async with`.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.
            StreamError: While reading: the service reported that the answer failed.
            StreamTruncatedError: While reading: the stream ended without its terminal marker.
            StreamDecodeError: While reading: the stream contained an invalid event.

        Reference: `POST /conversations/{conversationId}/messages` (`sendMessage`) of the SiteAssist API 2.0.0.
        """

        return self._caller.stream(
            _SEND_MESSAGE,
            f"/conversations/{segment(conversation_id, 'conversation_id')}/messages",
            _send_message_format,
            body={
                "content": content,
                "stream": True,
                "pageContext": page_context,
            },
            body_required=True,
            timeout=timeout,
            idle_timeout=idle_timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
            messages=lambda: self.get_messages(
                conversation_id, extra_headers=extra_headers, extra_query=extra_query
            ),
        )

    async def send_message_feedback(
        self,
        message_id: UUID | str,
        *,
        feedback: Feedback | Literal["like", "dislike"] | None,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> MessageFeedback:
        """Submit feedback for a message.

        Stores what the visitor thinks of a message in one of their own
        conversations, and when they said so (`feedbackAt`). A new value
        replaces the old one; null removes it.

        Args:
            message_id: The message.
            feedback: The feedback; null takes it back.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            200: The feedback as it is now stored.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `POST /messages/{messageId}/feedback` (`sendMessageFeedback`) of the SiteAssist API 2.0.0.
        """

        return await self._caller.call(
            _SEND_MESSAGE_FEEDBACK,
            f"/messages/{segment(message_id, 'message_id')}/feedback",
            _read_send_message_feedback,
            body={
                "feedback": feedback,
            },
            body_required=True,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )

    async def create_chat_completion(
        self,
        *,
        messages: Sequence[ChatMessage | Mapping[str, Any]],
        assistant_id: UUID | str | Unset = UNSET,
        stream: Literal[False] = False,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Completion:
        """Create a chat completion.

        Lets an assistant answer a list of messages that you keep yourself. The
        answer has the same two forms as a message's: JSON with the token usage,
        or, with `stream` set to true, server-sent events. The bearer is a
        private key or a session token.

        This method returns the whole answer. `create_chat_completion_stream` returns
        it as events while it is being written.

        Args:
            messages: The messages so far, oldest first.
            assistant_id: Identifies an assistant.
            stream: Always False; `create_chat_completion_stream` streams the answer.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            200: The assistant's answer.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `POST /chat/completions` (`createChatCompletion`) of the SiteAssist API 2.0.0.
        """

        if stream:
            msg = "use create_chat_completion_stream to stream the answer"
            raise SiteAssistError(msg, operation="createChatCompletion")
        return await self._caller.call(
            _CREATE_CHAT_COMPLETION,
            "/chat/completions",
            _read_create_chat_completion,
            body={
                "messages": messages,
                "assistantId": assistant_id,
                "stream": False,
            },
            body_required=True,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )

    def create_chat_completion_stream(
        self,
        *,
        messages: Sequence[ChatMessage | Mapping[str, Any]],
        assistant_id: UUID | str | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        idle_timeout: float | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> AsyncStream[AnswerEvent, AnswerPart, TokenUsage]:
        """Create a chat completion and stream the answer.

        Lets an assistant answer a list of messages that you keep yourself. The
        answer has the same two forms as a message's: JSON with the token usage,
        or, with `stream` set to true, server-sent events. The bearer is a
        private key or a session token.

        The request is sent when the `async with` block is entered.

        Args:
            messages: The messages so far, oldest first.
            assistant_id: Identifies an assistant.
            timeout: Time limit in seconds until the answer begins, including retries; None for no limit.
                Defaults to the client's setting.
            idle_timeout: Maximum time in seconds between two events; None for no limit. Defaults to the
                client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.
            extra_body: Additional properties of this call's body.

        Returns:
            A stream of the answer's events. Open it with `async with`.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.
            StreamError: While reading: the service reported that the answer failed.
            StreamTruncatedError: While reading: the stream ended without its terminal marker.
            StreamDecodeError: While reading: the stream contained an invalid event.

        Reference: `POST /chat/completions` (`createChatCompletion`) of the SiteAssist API 2.0.0.
        """

        return self._caller.stream(
            _CREATE_CHAT_COMPLETION,
            "/chat/completions",
            _create_chat_completion_format,
            body={
                "messages": messages,
                "assistantId": assistant_id,
                "stream": True,
            },
            body_required=True,
            timeout=timeout,
            idle_timeout=idle_timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )

    async def get_project(
        self,
        *,
        api_key: str | None = None,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> Project:
        """Get the current project.

        Returns the project that a publishable key belongs to, with the
        settings of its chat widget.

        Args:
            api_key: The project's publishable key. Defaults to the client's setting.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            200: The project.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            InternalServerError: 500. The service failed unexpectedly.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: Neither the call nor the client has a publishable key.

        Reference: `GET /projects/current` (`getProject`) of the SiteAssist API 2.0.0.
        """

        return await self._caller.call(
            _GET_PROJECT,
            "/projects/current",
            _read_get_project,
            query={
                "apiKey": self._own(_GET_PROJECT, "api_key", api_key),
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )

    def get_qnas(
        self,
        project_id: UUID | str,
        *,
        query: str | Unset = UNSET,
        limit: float | Unset = UNSET,
        offset: float | None | Unset = UNSET,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> AsyncPages[Qna, QnaList]:
        """List Q&As.

        Lists the questions and answers that a project has published, a page at
        a time, or those whose question matches a full-text query.

        No request is sent until the list is read. Iterate over the list to get the items of all pages,
        or use its `page()` or its `total`.

        Args:
            project_id: The project.
            query: Words to look for in the questions. At most 300 characters.
            limit: How many entries to return at most. From 1 to 100. `10` if left out.
            offset: How many entries to skip. At least 0. `0` if left out.
            timeout: Time limit in seconds for fetching each page, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            The list, which fetches its pages when they are needed.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.

        Reference: `GET /projects/{projectId}/qnas` (`getQnas`) of the SiteAssist API 2.0.0.
        """

        return self._caller.pages(
            _GET_QNAS,
            f"/projects/{segment(project_id, 'project_id')}/qnas",
            _read_get_qnas,
            query={
                "query": query,
                "limit": limit,
                "offset": offset,
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            names=_GET_QNAS_PAGE,
        )

    async def get_qna(
        self,
        project_id: UUID | str,
        qna_id: UUID | str,
        *,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> Qna:
        """Get a Q&A.

        Returns one of a project's questions with its answer.

        Args:
            project_id: The project.
            qna_id: The question with its answer.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            200: The question and its answer.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.

        Reference: `GET /projects/{projectId}/qnas/{qnaId}` (`getQna`) of the SiteAssist API 2.0.0.
        """

        return await self._caller.call(
            _GET_QNA,
            f"/projects/{segment(project_id, 'project_id')}/qnas/{segment(qna_id, 'qna_id')}",
            _read_get_qna,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )

    async def search(
        self,
        *,
        q: str,
        size: float | Unset = UNSET,
        api_key: str | None = None,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> SearchResults:
        """Search the knowledge base.

        Finds the pages, and where a shop is connected the products, of a
        project's knowledge base whose meaning is nearest to the query.

        Args:
            q: What to look for. From 1 to 500 characters.
            size: How many results to return at most. From 1 to 50. `10` if left out.
            api_key: The project's publishable key. Defaults to the client's setting.
            timeout: Time limit in seconds for the whole call, including retries; None for no limit.
                Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults to
                the client's setting.
            extra_headers: Additional headers for this call.
            extra_query: Additional query parameters for this call.

        Returns:
            200: The results.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the description.
            APITimeoutError: The time limit was exceeded.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: Neither the call nor the client has a publishable key.

        Reference: `GET /search` (`search`) of the SiteAssist API 2.0.0.
        """

        return await self._caller.call(
            _SEARCH,
            "/search",
            _read_search,
            query={
                "q": q,
                "size": size,
                "apiKey": self._own(_SEARCH, "api_key", api_key),
            },
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )

    def listen(
        self,
        conversation_id: UUID | str,
        *,
        api_key: str | None = None,
        after: UUID | str | None = None,
        timeout: float | None = None,
        idle_timeout: float | None = None,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> AsyncListener[SocketEvent]:
        """Listen to a conversation.

        Opens a WebSocket, on which the service reports that a human agent has
        taken over the conversation, and sends what that agent writes.

        Iterate over the listener with `async for`. It connects when the first event is asked for,
        keeps the connection alive, and connects again when it breaks. Messages that were sent
        meanwhile are read with `get_messages` and delivered in order, with `caught_up` set.
        It needs `pip install 'siteassist[live]'`.

        Args:
            conversation_id: The conversation.
            api_key: The project's publishable key. Defaults to the client's setting.
            after: The id of the last message from a human agent that you already have: those
                after it are delivered before any new ones. Defaults to the last such message
                in the conversation.
            timeout: Time limit in seconds for listening; None for no limit.
            idle_timeout: Maximum time in seconds between two events; None for no limit.
            extra_headers: Additional headers for every call.
            extra_query: Additional query parameters for every call.

        Returns:
            The listener. Leave it with `async with`, or close it, to close the connection.

        Raises:
            BadRequestError: While listening: 400. The body or a parameter is malformed.
            UnauthorizedError: While listening: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: While listening: 402. The feature needs a higher pricing plan.
            ForbiddenError: While listening: 403. The credential does not permit this.
            NotFoundError: While listening: 404. There is no such resource.
            ConflictError: While listening: 409. The resource's current state does not allow this.
            UnprocessableEntityError: While listening: 422. The request is well-formed, but a value in it is not acceptable.
            APIStatusError: Any other error status; the base class of the errors above. Once it
                listens, it tries again after those that may pass (408, 429, 5xx).
            APIResponseError: The service did not open a WebSocket, or its list of messages does not
                match the description.
            APITimeoutError: A limit was exceeded.
            APIConnectionError: The service could not be reached at first.
            CredentialsError: Neither the call nor the client has a publishable key.
            SiteAssistError: The library for WebSockets is not installed, or an argument is invalid.

        Reference: `GET /conversations/{conversationId}/ws` (`connectConversation`) of the SiteAssist API 2.0.0.
        """
        key = self._own(_CONNECT_CONVERSATION, "api_key", api_key)
        return self._caller.listen(
            _connect_conversation_format(),
            _connect_conversation_place(conversation_id, key),
            after=None if after is None else str(after),
            timeout=timeout,
            idle_timeout=idle_timeout,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )

    async def ask(
        self,
        conversation_id: UUID | str,
        content: str,
        *,
        page_context: PageContext | Mapping[str, Any] | None | Unset = UNSET,
        wait: float | None = 60.0,
        timeout: float | StepLimits | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Completion | Message:
        """Send a message and wait for its answer, even if a human agent writes it.

        It calls `send_message`. If a human agent handles the conversation, it waits for the
        agent's next message: with `siteassist[live]` it listens to the conversation. Without it,
        or while the socket cannot be opened, it reads the messages every 2 seconds.

        Args:
            conversation_id: The conversation.
            content: What the visitor says. From 1 to 10,000 characters.
            page_context: The page that the visitor is looking at, if known.
            wait: Maximum time in seconds to wait for a human agent; None for no limit.
            timeout: Time limit in seconds for sending the message, including retries; None for no
                limit. Defaults to the client's setting.
            max_retries: Maximum number of retries; a call is retried only if that is safe. Defaults
                to the client's setting.
            extra_headers: Additional headers for every call.
            extra_query: Additional query parameters for every call.
            extra_body: Additional properties of the body of the message.

        Returns:
            The assistant's answer, or the agent's message; both have a `text`.

        Raises:
            BadRequestError: 400. The body or a parameter is malformed.
            UnauthorizedError: 401. The credential is missing, wrong or expired.
            PaymentRequiredError: 402. The feature needs a higher pricing plan.
            ForbiddenError: 403. The credential does not permit this.
            NotFoundError: 404. There is no such resource.
            ConflictError: 409. The resource's current state does not allow this.
            UnprocessableEntityError: 422. The request is well-formed, but a value in it is not acceptable.
            TooManyRequestsError: 429. A rate limit or a usage quota is exhausted. `details.retryAfter`, if
                present, states the seconds to wait.
            InternalServerError: 500. The service failed unexpectedly.
            BadGatewayError: 502. A service behind this one, for example the provider of the AI model,
                gave no valid answer.
            ServiceUnavailableError: 503. The service cannot answer for the moment. `details.retryAfter`, if
                present, states the seconds to wait.
            APIStatusError: Any other error status; the base class of the errors above.
            APIResponseError: The service reported success, but its response does not match the
                description.
            AnswerTimeoutError: The message was sent, but no human agent answered in time. Its
                `message_id` is that of the message.
            APITimeoutError: The message could not be sent in time.
            APIConnectionError: The service could not be reached, or the connection broke.
            CredentialsError: The client has neither a token nor a publishable key.

        Reference: `sendMessage` and `connectConversation` of the SiteAssist API 2.0.0.
        """
        limit = seconds("wait", wait)
        answer = await self.send_message(
            conversation_id,
            content=content,
            page_context=page_context,
            timeout=timeout,
            max_retries=max_retries,
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
        )
        if not isinstance(answer, QueuedNotice):
            return answer
        reply: Message = await self._caller.wait_for_reply(
            _connect_conversation_format(),
            _connect_conversation_place(conversation_id, self._settings.api_key),
            _SEND_MESSAGE,
            content,
            limit,
            extra_headers=extra_headers,
            extra_query=extra_query,
        )
        return reply


class RawSiteAssist:
    """The methods of `SiteAssist`, each of which returns a `RawResponse`.

    The method of a list returns its first page. A stream has the status and the request
    id itself.
    """

    def __init__(self, client: SiteAssist) -> None:
        """Wrap the methods of a client."""
        from siteassist_runtime.raw_response import page_with_response, with_response

        self.init = with_response(client.init)
        self.get_me = with_response(client.get_me)
        self.get_conversations = page_with_response(client.get_conversations)
        self.start_conversation = with_response(client.start_conversation)
        self.get_conversation = with_response(client.get_conversation)
        self.close_conversation = with_response(client.close_conversation)
        self.get_messages = page_with_response(client.get_messages)
        self.send_message = with_response(client.send_message)
        self.send_message_feedback = with_response(client.send_message_feedback)
        self.create_chat_completion = with_response(client.create_chat_completion)
        self.get_project = with_response(client.get_project)
        self.get_qnas = page_with_response(client.get_qnas)
        self.get_qna = with_response(client.get_qna)
        self.search = with_response(client.search)


class AsyncRawSiteAssist:
    """The methods of `AsyncSiteAssist`, each of which returns a `RawResponse`.

    The method of a list returns its first page. A stream has the status and the request
    id itself.
    """

    def __init__(self, client: AsyncSiteAssist) -> None:
        """Wrap the methods of a client."""
        from siteassist_runtime.raw_response import (
            page_with_response_async,
            with_response_async,
        )

        self.init = with_response_async(client.init)
        self.get_me = with_response_async(client.get_me)
        self.get_conversations = page_with_response_async(client.get_conversations)
        self.start_conversation = with_response_async(client.start_conversation)
        self.get_conversation = with_response_async(client.get_conversation)
        self.close_conversation = with_response_async(client.close_conversation)
        self.get_messages = page_with_response_async(client.get_messages)
        self.send_message = with_response_async(client.send_message)
        self.send_message_feedback = with_response_async(client.send_message_feedback)
        self.create_chat_completion = with_response_async(client.create_chat_completion)
        self.get_project = with_response_async(client.get_project)
        self.get_qnas = page_with_response_async(client.get_qnas)
        self.get_qna = with_response_async(client.get_qna)
        self.search = with_response_async(client.search)


class Client:
    """The client for the low-level functions in `api` that need no credential.

    It has a connection pool for blocking calls and another one for asynchronous
    calls. Each pool is opened when it is first used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        raise_on_unexpected_status: bool = False,
        cookies: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
        verify_ssl: str | bool | ssl.SSLContext = True,
        follow_redirects: bool = False,
        httpx_args: dict[str, Any] | None = None,
    ) -> None:
        """Create a client.

        Args:
            base_url: The URL of the service, including its version.
            raise_on_unexpected_status: Whether to raise `errors.UnexpectedStatus` for a status that
                is not documented.
            cookies: Cookies for every request.
            headers: Headers for every request.
            timeout: The limits for each step of a request; None for no limit. A step that takes
                longer raises `httpx.TimeoutException`.
            verify_ssl: Whether to verify the server's certificate, or the certificate authorities
                to verify it with, as `verify` of httpx.
            follow_redirects: Whether to follow redirects.
            httpx_args: Additional arguments for `httpx.Client` and `httpx.AsyncClient`.
        """
        self.raise_on_unexpected_status = raise_on_unexpected_status
        self._base_url = base_url
        self._cookies = dict(cookies or {})
        self._headers = dict(headers or {})
        self._timeout = timeout
        self._verify_ssl = verify_ssl
        self._follow_redirects = follow_redirects
        self._httpx_args = dict(httpx_args or {})
        self._client: httpx.Client | None = None
        self._async_client: httpx.AsyncClient | None = None

    def __repr__(self) -> str:
        """Show only the base URL: the other settings may contain secrets."""
        return f"{type(self).__name__}(base_url={self._base_url!r})"

    def __reduce__(self) -> Any:
        """Refuse to be pickled."""
        msg = "a client cannot be pickled: it has a credential and open connections"
        raise TypeError(msg)

    def _copy(self, **changes: Any) -> Self:
        """Return a copy with changed settings and with its own connections."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__, _client=None, _async_client=None, **changes)
        return copy

    def with_headers(self, headers: dict[str, str]) -> Self:
        """Get a new client matching this one with additional headers"""
        return self._copy(_headers={**self._headers, **headers})

    def with_cookies(self, cookies: dict[str, str]) -> Self:
        """Get a new client matching this one with additional cookies"""
        return self._copy(_cookies={**self._cookies, **cookies})

    def with_timeout(self, timeout: httpx.Timeout) -> Self:
        """Get a new client matching this one with a new timeout configuration"""
        return self._copy(_timeout=timeout)

    def _arguments(self) -> dict[str, Any]:
        return {
            "base_url": self._base_url,
            "cookies": self._cookies,
            "headers": self._headers,
            "timeout": self._timeout,
            "verify": self._verify_ssl,
            "follow_redirects": self._follow_redirects,
            **self._httpx_args,
        }

    def set_httpx_client(self, client: httpx.Client) -> Self:
        """Set the `httpx.Client` to use; it overrides all settings of this client."""
        self._client = client
        return self

    def get_httpx_client(self) -> httpx.Client:
        """Get the `httpx.Client`; the first call opens it."""
        if self._client is None:
            import httpx

            self._client = httpx.Client(**self._arguments())
        return self._client

    def __enter__(self) -> Self:
        """Open the connections. As in httpx, a client can be opened only once."""
        self.get_httpx_client().__enter__()
        return self

    def __exit__(self, *args: Any, **kwargs: Any) -> None:
        """Close the connections."""
        self.get_httpx_client().__exit__(*args, **kwargs)

    def set_async_httpx_client(self, async_client: httpx.AsyncClient) -> Self:
        """Set the `httpx.AsyncClient` to use; it overrides all settings of this client."""
        self._async_client = async_client
        return self

    def get_async_httpx_client(self) -> httpx.AsyncClient:
        """Get the `httpx.AsyncClient`; the first call opens it."""
        if self._async_client is None:
            import httpx

            self._async_client = httpx.AsyncClient(**self._arguments())
        return self._async_client

    async def __aenter__(self) -> Self:
        """Open the connections. As in httpx, a client can be opened only once."""
        await self.get_async_httpx_client().__aenter__()
        return self

    async def __aexit__(self, *args: Any, **kwargs: Any) -> None:
        """Close the connections."""
        await self.get_async_httpx_client().__aexit__(*args, **kwargs)


class AuthenticatedClient(Client):
    """The client for the low-level functions in `api` that need a credential."""

    def __init__(
        self,
        base_url: str,
        token: str,
        prefix: str = "Bearer",
        auth_header_name: str = "Authorization",
        **settings: Any,
    ) -> None:
        """Create a client with a credential.

        Args:
            base_url: The URL of the service, including its version.
            token: A session token or a private key.
            prefix: The prefix of the token in the header.
            auth_header_name: The name of the header that carries the token.
            settings: Keyword arguments of `Client`.
        """
        super().__init__(base_url, **settings)
        self.token = token
        self.prefix = prefix
        self.auth_header_name = auth_header_name

    def _arguments(self) -> dict[str, Any]:
        credential = f"{self.prefix} {self.token}" if self.prefix else self.token
        arguments = super()._arguments()
        return {
            **arguments,
            "headers": {**arguments["headers"], self.auth_header_name: credential},
        }
