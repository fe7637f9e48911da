from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.error_response import ErrorResponse
from ...models.qna_list import QnaList
from ...types import UNSET, Response, Unset


def _get_kwargs(
    project_id: UUID,
    *,
    query: str | Unset = UNSET,
    limit: float | Unset = 10.0,
    offset: float | None | Unset = 0.0,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["query"] = query

    params["limit"] = limit

    json_offset: float | None | Unset
    if isinstance(offset, Unset):
        json_offset = UNSET
    else:
        json_offset = offset
    params["offset"] = json_offset

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/projects/{project_id}/qnas".format(
            project_id=quote(str(project_id), safe=""),
        ),
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> ErrorResponse | QnaList | None:
    if response.status_code == 200:
        response_200 = QnaList.from_dict(response.json())

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
) -> Response[ErrorResponse | QnaList]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    project_id: UUID,
    *,
    client: AuthenticatedClient | Client,
    query: str | Unset = UNSET,
    limit: float | Unset = 10.0,
    offset: float | None | Unset = 0.0,
) -> Response[ErrorResponse | QnaList]:
    """List Q&As

     Lists the questions and answers that a project has published, a page at
    a time, or those whose question matches a full-text query.

    Args:
        project_id (UUID): Identifies a project.
        query (str | Unset):
        limit (float | Unset):  Default: 10.0.
        offset (float | None | Unset):  Default: 0.0.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorResponse | QnaList]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        query=query,
        limit=limit,
        offset=offset,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    project_id: UUID,
    *,
    client: AuthenticatedClient | Client,
    query: str | Unset = UNSET,
    limit: float | Unset = 10.0,
    offset: float | None | Unset = 0.0,
) -> ErrorResponse | QnaList | None:
    """List Q&As

     Lists the questions and answers that a project has published, a page at
    a time, or those whose question matches a full-text query.

    Args:
        project_id (UUID): Identifies a project.
        query (str | Unset):
        limit (float | Unset):  Default: 10.0.
        offset (float | None | Unset):  Default: 0.0.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorResponse | QnaList
    """

    return sync_detailed(
        project_id=project_id,
        client=client,
        query=query,
        limit=limit,
        offset=offset,
    ).parsed


async def asyncio_detailed(
    project_id: UUID,
    *,
    client: AuthenticatedClient | Client,
    query: str | Unset = UNSET,
    limit: float | Unset = 10.0,
    offset: float | None | Unset = 0.0,
) -> Response[ErrorResponse | QnaList]:
    """List Q&As

     Lists the questions and answers that a project has published, a page at
    a time, or those whose question matches a full-text query.

    Args:
        project_id (UUID): Identifies a project.
        query (str | Unset):
        limit (float | Unset):  Default: 10.0.
        offset (float | None | Unset):  Default: 0.0.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorResponse | QnaList]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        query=query,
        limit=limit,
        offset=offset,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    project_id: UUID,
    *,
    client: AuthenticatedClient | Client,
    query: str | Unset = UNSET,
    limit: float | Unset = 10.0,
    offset: float | None | Unset = 0.0,
) -> ErrorResponse | QnaList | None:
    """List Q&As

     Lists the questions and answers that a project has published, a page at
    a time, or those whose question matches a full-text query.

    Args:
        project_id (UUID): Identifies a project.
        query (str | Unset):
        limit (float | Unset):  Default: 10.0.
        offset (float | None | Unset):  Default: 0.0.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorResponse | QnaList
    """

    return (
        await asyncio_detailed(
            project_id=project_id,
            client=client,
            query=query,
            limit=limit,
            offset=offset,
        )
    ).parsed
