from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.error_response import ErrorResponse
from ...models.message_list import MessageList
from ...models.message_role import MessageRole
from ...models.message_status import MessageStatus
from ...types import UNSET, Response, Unset


def _get_kwargs(
    conversation_id: UUID,
    *,
    limit: int | Unset = UNSET,
    offset: int | None | Unset = 0,
    role: MessageRole | Unset = UNSET,
    status: MessageStatus | Unset = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["limit"] = limit

    json_offset: int | None | Unset
    if isinstance(offset, Unset):
        json_offset = UNSET
    else:
        json_offset = offset
    params["offset"] = json_offset

    json_role: str | Unset = UNSET
    if not isinstance(role, Unset):
        json_role = role.value

    params["role"] = json_role

    json_status: str | Unset = UNSET
    if not isinstance(status, Unset):
        json_status = status.value

    params["status"] = json_status

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/conversations/{conversation_id}/messages".format(
            conversation_id=quote(str(conversation_id), safe=""),
        ),
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> ErrorResponse | MessageList | None:
    if response.status_code == 200:
        response_200 = MessageList.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = ErrorResponse.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = ErrorResponse.from_dict(response.json())

        return response_401

    if response.status_code == 402:
        response_402 = ErrorResponse.from_dict(response.json())

        return response_402

    if response.status_code == 403:
        response_403 = ErrorResponse.from_dict(response.json())

        return response_403

    if response.status_code == 404:
        response_404 = ErrorResponse.from_dict(response.json())

        return response_404

    if response.status_code == 409:
        response_409 = ErrorResponse.from_dict(response.json())

        return response_409

    if response.status_code == 422:
        response_422 = ErrorResponse.from_dict(response.json())

        return response_422

    if response.status_code == 429:
        response_429 = ErrorResponse.from_dict(response.json())

        return response_429

    if response.status_code == 500:
        response_500 = ErrorResponse.from_dict(response.json())

        return response_500

    if response.status_code == 502:
        response_502 = ErrorResponse.from_dict(response.json())

        return response_502

    if response.status_code == 503:
        response_503 = ErrorResponse.from_dict(response.json())

        return response_503

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[ErrorResponse | MessageList]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    conversation_id: UUID,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    offset: int | None | Unset = 0,
    role: MessageRole | Unset = UNSET,
    status: MessageStatus | Unset = UNSET,
) -> Response[ErrorResponse | MessageList]:
    """Retrieve messages from a conversation

     Lists the messages of one of the visitor's own conversations, oldest
    first: all of them unless `limit` says otherwise.

    Args:
        conversation_id (UUID): Identifies a conversation.
        limit (int | Unset):
        offset (int | None | Unset):  Default: 0.
        role (MessageRole | Unset): Who wrote a message; `user` is the visitor.
        status (MessageStatus | Unset): Whether a message is still being written, is finished, or
            broke off.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorResponse | MessageList]
    """

    kwargs = _get_kwargs(
        conversation_id=conversation_id,
        limit=limit,
        offset=offset,
        role=role,
        status=status,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    conversation_id: UUID,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    offset: int | None | Unset = 0,
    role: MessageRole | Unset = UNSET,
    status: MessageStatus | Unset = UNSET,
) -> ErrorResponse | MessageList | None:
    """Retrieve messages from a conversation

     Lists the messages of one of the visitor's own conversations, oldest
    first: all of them unless `limit` says otherwise.

    Args:
        conversation_id (UUID): Identifies a conversation.
        limit (int | Unset):
        offset (int | None | Unset):  Default: 0.
        role (MessageRole | Unset): Who wrote a message; `user` is the visitor.
        status (MessageStatus | Unset): Whether a message is still being written, is finished, or
            broke off.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorResponse | MessageList
    """

    return sync_detailed(
        conversation_id=conversation_id,
        client=client,
        limit=limit,
        offset=offset,
        role=role,
        status=status,
    ).parsed


async def asyncio_detailed(
    conversation_id: UUID,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    offset: int | None | Unset = 0,
    role: MessageRole | Unset = UNSET,
    status: MessageStatus | Unset = UNSET,
) -> Response[ErrorResponse | MessageList]:
    """Retrieve messages from a conversation

     Lists the messages of one of the visitor's own conversations, oldest
    first: all of them unless `limit` says otherwise.

    Args:
        conversation_id (UUID): Identifies a conversation.
        limit (int | Unset):
        offset (int | None | Unset):  Default: 0.
        role (MessageRole | Unset): Who wrote a message; `user` is the visitor.
        status (MessageStatus | Unset): Whether a message is still being written, is finished, or
            broke off.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorResponse | MessageList]
    """

    kwargs = _get_kwargs(
        conversation_id=conversation_id,
        limit=limit,
        offset=offset,
        role=role,
        status=status,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    conversation_id: UUID,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    offset: int | None | Unset = 0,
    role: MessageRole | Unset = UNSET,
    status: MessageStatus | Unset = UNSET,
) -> ErrorResponse | MessageList | None:
    """Retrieve messages from a conversation

     Lists the messages of one of the visitor's own conversations, oldest
    first: all of them unless `limit` says otherwise.

    Args:
        conversation_id (UUID): Identifies a conversation.
        limit (int | Unset):
        offset (int | None | Unset):  Default: 0.
        role (MessageRole | Unset): Who wrote a message; `user` is the visitor.
        status (MessageStatus | Unset): Whether a message is still being written, is finished, or
            broke off.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorResponse | MessageList
    """

    return (
        await asyncio_detailed(
            conversation_id=conversation_id,
            client=client,
            limit=limit,
            offset=offset,
            role=role,
            status=status,
        )
    ).parsed
