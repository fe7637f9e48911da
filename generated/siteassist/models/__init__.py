"""Contains all the data models used in inputs/outputs"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .abort_payload import AbortPayload
    from .chat_completion_request import ChatCompletionRequest
    from .chat_message import ChatMessage
    from .chat_role import ChatRole
    from .chat_widget_config import ChatWidgetConfig
    from .citation import Citation
    from .citation_source import CitationSource
    from .close_conversation_request import CloseConversationRequest
    from .close_conversation_result import CloseConversationResult
    from .completion import Completion
    from .completion_step import CompletionStep
    from .conversation import Conversation
    from .conversation_context import ConversationContext
    from .conversation_list import ConversationList
    from .conversation_order_by import ConversationOrderBy
    from .conversation_status import ConversationStatus
    from .conversation_summary import ConversationSummary
    from .custom_payload import CustomPayload
    from .data_payload import DataPayload
    from .error_body import ErrorBody
    from .error_details import ErrorDetails
    from .error_payload import ErrorPayload
    from .error_response import ErrorResponse
    from .feedback import Feedback
    from .file_payload import FilePayload
    from .finish_payload import FinishPayload
    from .finish_step_payload import FinishStepPayload
    from .human_agent import HumanAgent
    from .init_request import InitRequest
    from .message import Message
    from .message_feedback import MessageFeedback
    from .message_feedback_request import MessageFeedbackRequest
    from .message_list import MessageList
    from .message_metadata_payload import MessageMetadataPayload
    from .message_role import MessageRole
    from .message_status import MessageStatus
    from .order_direction import OrderDirection
    from .other_part import OtherPart
    from .other_payload import OtherPayload
    from .page_context import PageContext
    from .project import Project
    from .provider_metadata import ProviderMetadata
    from .qna import Qna
    from .qna_author import QnaAuthor
    from .qna_list import QnaList
    from .reasoning_delta_payload import ReasoningDeltaPayload
    from .reasoning_end_payload import ReasoningEndPayload
    from .reasoning_file_payload import ReasoningFilePayload
    from .reasoning_start_payload import ReasoningStartPayload
    from .reset_step_payload import ResetStepPayload
    from .search_result import SearchResult
    from .search_results import SearchResults
    from .send_message_request import SendMessageRequest
    from .socket_human_assigned import SocketHumanAssigned
    from .socket_new_message import SocketNewMessage
    from .socket_other_message import SocketOtherMessage
    from .source_document_payload import SourceDocumentPayload
    from .source_url_payload import SourceUrlPayload
    from .start_conversation_request import StartConversationRequest
    from .start_payload import StartPayload
    from .start_step_payload import StartStepPayload
    from .steering_message_payload import SteeringMessagePayload
    from .stream_event import StreamEvent
    from .text_delta_payload import TextDeltaPayload
    from .text_end_payload import TextEndPayload
    from .text_part import TextPart
    from .text_start_payload import TextStartPayload
    from .token_usage import TokenUsage
    from .tool_approval_request_payload import ToolApprovalRequestPayload
    from .tool_approval_response_payload import ToolApprovalResponsePayload
    from .tool_input_available_payload import ToolInputAvailablePayload
    from .tool_input_delta_payload import ToolInputDeltaPayload
    from .tool_input_error_payload import ToolInputErrorPayload
    from .tool_input_start_payload import ToolInputStartPayload
    from .tool_metadata import ToolMetadata
    from .tool_output_available_payload import ToolOutputAvailablePayload
    from .tool_output_denied_payload import ToolOutputDeniedPayload
    from .tool_output_error_payload import ToolOutputErrorPayload
    from .tool_part import ToolPart
    from .visitor import Visitor
    from .visitor_session import VisitorSession
    from .visitor_type import VisitorType
    from .widget_offset import WidgetOffset
    from .widget_position import WidgetPosition

_MODULES = {
    "AbortPayload": ".abort_payload",
    "ChatCompletionRequest": ".chat_completion_request",
    "ChatMessage": ".chat_message",
    "ChatRole": ".chat_role",
    "ChatWidgetConfig": ".chat_widget_config",
    "Citation": ".citation",
    "CitationSource": ".citation_source",
    "CloseConversationRequest": ".close_conversation_request",
    "CloseConversationResult": ".close_conversation_result",
    "Completion": ".completion",
    "CompletionStep": ".completion_step",
    "Conversation": ".conversation",
    "ConversationContext": ".conversation_context",
    "ConversationList": ".conversation_list",
    "ConversationOrderBy": ".conversation_order_by",
    "ConversationStatus": ".conversation_status",
    "ConversationSummary": ".conversation_summary",
    "CustomPayload": ".custom_payload",
    "DataPayload": ".data_payload",
    "ErrorBody": ".error_body",
    "ErrorDetails": ".error_details",
    "ErrorPayload": ".error_payload",
    "ErrorResponse": ".error_response",
    "Feedback": ".feedback",
    "FilePayload": ".file_payload",
    "FinishPayload": ".finish_payload",
    "FinishStepPayload": ".finish_step_payload",
    "HumanAgent": ".human_agent",
    "InitRequest": ".init_request",
    "Message": ".message",
    "MessageFeedback": ".message_feedback",
    "MessageFeedbackRequest": ".message_feedback_request",
    "MessageList": ".message_list",
    "MessageMetadataPayload": ".message_metadata_payload",
    "MessageRole": ".message_role",
    "MessageStatus": ".message_status",
    "OrderDirection": ".order_direction",
    "OtherPart": ".other_part",
    "OtherPayload": ".other_payload",
    "PageContext": ".page_context",
    "Project": ".project",
    "ProviderMetadata": ".provider_metadata",
    "Qna": ".qna",
    "QnaAuthor": ".qna_author",
    "QnaList": ".qna_list",
    "ReasoningDeltaPayload": ".reasoning_delta_payload",
    "ReasoningEndPayload": ".reasoning_end_payload",
    "ReasoningFilePayload": ".reasoning_file_payload",
    "ReasoningStartPayload": ".reasoning_start_payload",
    "ResetStepPayload": ".reset_step_payload",
    "SearchResult": ".search_result",
    "SearchResults": ".search_results",
    "SendMessageRequest": ".send_message_request",
    "SocketHumanAssigned": ".socket_human_assigned",
    "SocketNewMessage": ".socket_new_message",
    "SocketOtherMessage": ".socket_other_message",
    "SourceDocumentPayload": ".source_document_payload",
    "SourceUrlPayload": ".source_url_payload",
    "StartConversationRequest": ".start_conversation_request",
    "StartPayload": ".start_payload",
    "StartStepPayload": ".start_step_payload",
    "SteeringMessagePayload": ".steering_message_payload",
    "StreamEvent": ".stream_event",
    "TextDeltaPayload": ".text_delta_payload",
    "TextEndPayload": ".text_end_payload",
    "TextPart": ".text_part",
    "TextStartPayload": ".text_start_payload",
    "TokenUsage": ".token_usage",
    "ToolApprovalRequestPayload": ".tool_approval_request_payload",
    "ToolApprovalResponsePayload": ".tool_approval_response_payload",
    "ToolInputAvailablePayload": ".tool_input_available_payload",
    "ToolInputDeltaPayload": ".tool_input_delta_payload",
    "ToolInputErrorPayload": ".tool_input_error_payload",
    "ToolInputStartPayload": ".tool_input_start_payload",
    "ToolMetadata": ".tool_metadata",
    "ToolOutputAvailablePayload": ".tool_output_available_payload",
    "ToolOutputDeniedPayload": ".tool_output_denied_payload",
    "ToolOutputErrorPayload": ".tool_output_error_payload",
    "ToolPart": ".tool_part",
    "Visitor": ".visitor",
    "VisitorSession": ".visitor_session",
    "VisitorType": ".visitor_type",
    "WidgetOffset": ".widget_offset",
    "WidgetPosition": ".widget_position",
}


def __getattr__(name: str) -> object:
    """Import a model when it is first used."""
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_MODULES[name], __name__), name)
    return value


def __dir__() -> list[str]:
    """Return all names, including models that are not imported yet."""
    return sorted({*globals(), *_MODULES})


__all__ = (
    "AbortPayload",
    "ChatCompletionRequest",
    "ChatMessage",
    "ChatRole",
    "ChatWidgetConfig",
    "Citation",
    "CitationSource",
    "CloseConversationRequest",
    "CloseConversationResult",
    "Completion",
    "CompletionStep",
    "Conversation",
    "ConversationContext",
    "ConversationList",
    "ConversationOrderBy",
    "ConversationStatus",
    "ConversationSummary",
    "CustomPayload",
    "DataPayload",
    "ErrorBody",
    "ErrorDetails",
    "ErrorPayload",
    "ErrorResponse",
    "Feedback",
    "FilePayload",
    "FinishPayload",
    "FinishStepPayload",
    "HumanAgent",
    "InitRequest",
    "Message",
    "MessageFeedback",
    "MessageFeedbackRequest",
    "MessageList",
    "MessageMetadataPayload",
    "MessageRole",
    "MessageStatus",
    "OrderDirection",
    "OtherPart",
    "OtherPayload",
    "PageContext",
    "Project",
    "ProviderMetadata",
    "Qna",
    "QnaAuthor",
    "QnaList",
    "ReasoningDeltaPayload",
    "ReasoningEndPayload",
    "ReasoningFilePayload",
    "ReasoningStartPayload",
    "ResetStepPayload",
    "SearchResult",
    "SearchResults",
    "SendMessageRequest",
    "SocketHumanAssigned",
    "SocketNewMessage",
    "SocketOtherMessage",
    "SourceDocumentPayload",
    "SourceUrlPayload",
    "StartConversationRequest",
    "StartPayload",
    "StartStepPayload",
    "SteeringMessagePayload",
    "StreamEvent",
    "TextDeltaPayload",
    "TextEndPayload",
    "TextPart",
    "TextStartPayload",
    "TokenUsage",
    "ToolApprovalRequestPayload",
    "ToolApprovalResponsePayload",
    "ToolInputAvailablePayload",
    "ToolInputDeltaPayload",
    "ToolInputErrorPayload",
    "ToolInputStartPayload",
    "ToolMetadata",
    "ToolOutputAvailablePayload",
    "ToolOutputDeniedPayload",
    "ToolOutputErrorPayload",
    "ToolPart",
    "Visitor",
    "VisitorSession",
    "VisitorType",
    "WidgetOffset",
    "WidgetPosition",
)
