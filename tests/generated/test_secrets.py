"""No ``repr`` shows a secret, because it may end up in a log or a traceback."""

from __future__ import annotations

import pytest

from siteassist import AuthenticatedClient, Client
from siteassist.models import InitRequest, Visitor, VisitorSession, VisitorType
from siteassist_mock.settings import MockSettings

VISITOR = {
    "id": "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d",
    "type": VisitorType.ANONYMOUS,
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}


@pytest.mark.parametrize(
    "holder",
    [
        AuthenticatedClient("http://127.0.0.1", token="the-secret"),
        Client("http://127.0.0.1", headers={"Authorization": "Bearer the-secret"}),
        Client("http://127.0.0.1", cookies={"session": "the-secret"}),
        Client("http://127.0.0.1", httpx_args={"auth": ("user", "the-secret")}),
        InitRequest(api_key="the-secret", sa_vid="device-1"),
        VisitorSession(session_token="the-secret", visitor=Visitor.from_dict(VISITOR)),
        MockSettings(api_key="the-secret", private_key="the-secret"),
    ],
    ids=["token", "header", "cookie", "auth", "key", "session", "mock"],
)
def test_repr_shows_no_secret(holder: object) -> None:
    """The ``repr`` names the class and hides the secret."""
    assert "the-secret" not in repr(holder)
    assert type(holder).__name__ in repr(holder)


def test_open_client_shows_no_secret() -> None:
    """Opening the connection pool adds the token to the headers, which stay hidden."""
    with AuthenticatedClient("http://127.0.0.1", token="the-secret") as client:
        assert "the-secret" not in repr(client)
