from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.conversation_list import ConversationList
from ...models.conversation_order_by import ConversationOrderBy
from ...models.conversation_status import ConversationStatus
from ...models.error_response import ErrorResponse
from ...models.order_direction import OrderDirection
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    limit: float | Unset = 10.0,
    offset: float | None | Unset = 0.0,
    status: ConversationStatus | Unset = UNSET,
    order_by: ConversationOrderBy | Unset = UNSET,
    order_dir: OrderDirection | Unset = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["limit"] = limit

    json_offset: float | None | Unset
    if isinstance(offset, Unset):
        json_offset = UNSET
    else:
        json_offset = offset
    params["offset"] = json_offset

    json_status: str | Unset = UNSET
    if not isinstance(status, Unset):
        json_status = status.value

    params["status"] = json_status

    json_order_by: str | Unset = UNSET
    if not isinstance(order_by, Unset):
        json_order_by = order_by.value

    params["orderBy"] = json_order_by

    json_order_dir: str | Unset = UNSET
    if not isinstance(order_dir, Unset):
        json_order_dir = order_dir.value

    params["orderDir"] = json_order_dir

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/conversations",
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> ConversationList | ErrorResponse | None:
    if response.status_code == 200:
        response_200 = ConversationList.from_dict(response.json())

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
) -> Response[ConversationList | ErrorResponse]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    limit: float | Unset = 10.0,
    offset: float | None | Unset = 0.0,
    status: ConversationStatus | Unset = UNSET,
    order_by: ConversationOrderBy | Unset = UNSET,
    order_dir: OrderDirection | Unset = UNSET,
) -> Response[ConversationList | ErrorResponse]:
    """List conversations

     Lists the visitor's own conversations in the current project, a page at
    a time. `total` counts all that match, not only those on the page. The
    order is by last interaction, latest first, unless you ask for another.

    Args:
        limit (float | Unset):  Default: 10.0.
        offset (float | None | Unset):  Default: 0.0.
        status (ConversationStatus | Unset): Whether a conversation is open or closed.
        order_by (ConversationOrderBy | Unset): A field that conversations can be sorted by.
        order_dir (OrderDirection | Unset): Smallest or earliest first (`asc`), or last (`desc`).

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ConversationList | ErrorResponse]
    """

    kwargs = _get_kwargs(
        limit=limit,
        offset=offset,
        status=status,
        order_by=order_by,
        order_dir=order_dir,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    limit: float | Unset = 10.0,
    offset: float | None | Unset = 0.0,
    status: ConversationStatus | Unset = UNSET,
    order_by: ConversationOrderBy | Unset = UNSET,
    order_dir: OrderDirection | Unset = UNSET,
) -> ConversationList | ErrorResponse | None:
    """List conversations

     Lists the visitor's own conversations in the current project, a page at
    a time. `total` counts all that match, not only those on the page. The
    order is by last interaction, latest first, unless you ask for another.

    Args:
        limit (float | Unset):  Default: 10.0.
        offset (float | None | Unset):  Default: 0.0.
        status (ConversationStatus | Unset): Whether a conversation is open or closed.
        order_by (ConversationOrderBy | Unset): A field that conversations can be sorted by.
        order_dir (OrderDirection | Unset): Smallest or earliest first (`asc`), or last (`desc`).

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ConversationList | ErrorResponse
    """

    return sync_detailed(
        client=client,
        limit=limit,
        offset=offset,
        status=status,
        order_by=order_by,
        order_dir=order_dir,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    limit: float | Unset = 10.0,
    offset: float | None | Unset = 0.0,
    status: ConversationStatus | Unset = UNSET,
    order_by: ConversationOrderBy | Unset = UNSET,
    order_dir: OrderDirection | Unset = UNSET,
) -> Response[ConversationList | ErrorResponse]:
    """List conversations

     Lists the visitor's own conversations in the current project, a page at
    a time. `total` counts all that match, not only those on the page. The
    order is by last interaction, latest first, unless you ask for another.

    Args:
        limit (float | Unset):  Default: 10.0.
        offset (float | None | Unset):  Default: 0.0.
        status (ConversationStatus | Unset): Whether a conversation is open or closed.
        order_by (ConversationOrderBy | Unset): A field that conversations can be sorted by.
        order_dir (OrderDirection | Unset): Smallest or earliest first (`asc`), or last (`desc`).

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ConversationList | ErrorResponse]
    """

    kwargs = _get_kwargs(
        limit=limit,
        offset=offset,
        status=status,
        order_by=order_by,
        order_dir=order_dir,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    limit: float | Unset = 10.0,
    offset: float | None | Unset = 0.0,
    status: ConversationStatus | Unset = UNSET,
    order_by: ConversationOrderBy | Unset = UNSET,
    order_dir: OrderDirection | Unset = UNSET,
) -> ConversationList | ErrorResponse | None:
    """List conversations

     Lists the visitor's own conversations in the current project, a page at
    a time. `total` counts all that match, not only those on the page. The
    order is by last interaction, latest first, unless you ask for another.

    Args:
        limit (float | Unset):  Default: 10.0.
        offset (float | None | Unset):  Default: 0.0.
        status (ConversationStatus | Unset): Whether a conversation is open or closed.
        order_by (ConversationOrderBy | Unset): A field that conversations can be sorted by.
        order_dir (OrderDirection | Unset): Smallest or earliest first (`asc`), or last (`desc`).

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ConversationList | ErrorResponse
    """

    return (
        await asyncio_detailed(
            client=client,
            limit=limit,
            offset=offset,
            status=status,
            order_by=order_by,
            order_dir=order_dir,
        )
    ).parsed
