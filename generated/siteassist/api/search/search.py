from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.error_response import ErrorResponse
from ...models.search_results import SearchResults
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    q: str,
    size: float | Unset = 10.0,
    api_key: str,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["q"] = q

    params["size"] = size

    params["apiKey"] = api_key

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/search",
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> ErrorResponse | SearchResults | None:
    if response.status_code == 200:
        response_200 = SearchResults.from_dict(response.json())

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
) -> Response[ErrorResponse | SearchResults]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient | Client,
    q: str,
    size: float | Unset = 10.0,
    api_key: str,
) -> Response[ErrorResponse | SearchResults]:
    """Search the knowledge base

     Finds the pages, and where a shop is connected the products, of a
    project's knowledge base whose meaning is nearest to the query.

    Args:
        q (str):
        size (float | Unset):  Default: 10.0.
        api_key (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorResponse | SearchResults]
    """

    kwargs = _get_kwargs(
        q=q,
        size=size,
        api_key=api_key,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient | Client,
    q: str,
    size: float | Unset = 10.0,
    api_key: str,
) -> ErrorResponse | SearchResults | None:
    """Search the knowledge base

     Finds the pages, and where a shop is connected the products, of a
    project's knowledge base whose meaning is nearest to the query.

    Args:
        q (str):
        size (float | Unset):  Default: 10.0.
        api_key (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorResponse | SearchResults
    """

    return sync_detailed(
        client=client,
        q=q,
        size=size,
        api_key=api_key,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    q: str,
    size: float | Unset = 10.0,
    api_key: str,
) -> Response[ErrorResponse | SearchResults]:
    """Search the knowledge base

     Finds the pages, and where a shop is connected the products, of a
    project's knowledge base whose meaning is nearest to the query.

    Args:
        q (str):
        size (float | Unset):  Default: 10.0.
        api_key (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorResponse | SearchResults]
    """

    kwargs = _get_kwargs(
        q=q,
        size=size,
        api_key=api_key,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient | Client,
    q: str,
    size: float | Unset = 10.0,
    api_key: str,
) -> ErrorResponse | SearchResults | None:
    """Search the knowledge base

     Finds the pages, and where a shop is connected the products, of a
    project's knowledge base whose meaning is nearest to the query.

    Args:
        q (str):
        size (float | Unset):  Default: 10.0.
        api_key (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorResponse | SearchResults
    """

    return (
        await asyncio_detailed(
            client=client,
            q=q,
            size=size,
            api_key=api_key,
        )
    ).parsed
