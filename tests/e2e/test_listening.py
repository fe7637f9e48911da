"""Listening on the mock: over restarts, with many listeners, and with each of its refusals."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import siteassist.client
from siteassist import (
    AsyncSiteAssist,
    NotFoundError,
    SiteAssist,
    SocketNewMessage,
    UnauthorizedError,
)
from siteassist_mock.testing import mock_server
from siteassist_runtime.http_library import LIBRARIES
from tests.e2e.mock_process import free_port, killed_at_end, wait
from tests.values import API_KEY, UNKNOWN_ID

if TYPE_CHECKING:
    from siteassist.client import SocketEvent
    from siteassist_runtime.http_library import LibraryName

LIMIT = 120.0  # Seconds, far more than any of these tests takes.
ROUNDS = 10
PER_ROUND = 100
DEVICE = "device-of-a-listener"


@pytest.fixture(autouse=True)
def _quick_reconnection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect again after some milliseconds instead of seconds."""
    real = siteassist.client._connect_conversation_format
    quick = real()._replace(first_delay=0.01, longest_delay=0.05)
    monkeypatch.setattr(siteassist.client, "_connect_conversation_format", lambda: quick)


class Operator(threading.Thread):
    """A human agent who says one thing after another, whatever happens to the server."""

    def __init__(self, url: str, conversation_id: str) -> None:
        """Prepare to speak in a conversation."""
        super().__init__(name="operator", daemon=True)
        self._address = f"{url.removesuffix('/v2')}/_mock/conversations/{conversation_id}"
        self.said = 0
        """The number of messages that the server has confirmed."""
        self.silent = threading.Event()
        """Ends the thread."""

    def take_over(self) -> None:
        """Take the conversation over."""
        httpx.post(f"{self._address}/handover", json={"name": "Sam"}).raise_for_status()

    def say(self, http: httpx.Client, content: str) -> bool:
        """Say something; the server may be killed before or after it has stored it."""
        try:
            answer = http.post(f"{self._address}/agent-messages", json={"content": content})
        except httpx.TransportError:
            return self.silent.wait(0.01)
        self.said += answer.is_success
        return answer.is_success

    def has_said(self, number: int) -> bool:
        """Return whether at least ``number`` messages are stored."""
        return self.said >= number

    def run(self) -> None:
        """Say one thing after another."""
        with httpx.Client() as http:
            while not self.silent.is_set():
                self.say(http, str(self.said))


class Hearers:
    """A listener of each kind, in threads, that end with the operator's last message."""

    def __init__(self, url: str, conversation_id: str) -> None:
        """Prepare the threads."""
        self._settings: dict[str, Any] = {"api_key": API_KEY, "device_id": DEVICE, "base_url": url}
        self._conversation_id = conversation_id
        self.heard: dict[str, list[SocketEvent]] = {"sync": [], "async": []}
        self._problems: list[Exception] = []
        self._threads = [
            threading.Thread(target=self._run, args=(work,), daemon=True)
            for work in (self._listen, lambda: asyncio.run(self._listen_async()))
        ]

    def start(self) -> None:
        """Begin to listen."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Wait for the ends. Raises the exception of a listener."""
        for thread in self._threads:
            thread.join(LIMIT)
            assert not thread.is_alive()
        assert [] == self._problems

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  # shown by the test's thread
            self._problems.append(error)

    def _listen(self) -> None:
        with (
            SiteAssist(**self._settings) as client,
            client.listen(self._conversation_id, timeout=LIMIT) as events,
        ):
            for event in events:
                self.heard["sync"].append(event)
                if is_last(event):
                    return

    async def _listen_async(self) -> None:
        async with (
            AsyncSiteAssist(**self._settings) as client,
            client.listen(self._conversation_id, timeout=LIMIT) as events,
        ):
            async for event in events:
                self.heard["async"].append(event)
                if is_last(event):
                    return


def test_nothing_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    """Over ten kills, 1,000 messages arrive once and in order, in both kinds of client."""
    port, database = free_port(), tmp_path / "mock.db"
    url = f"http://127.0.0.1:{port}/v2"
    client = SiteAssist(api_key=API_KEY, device_id=DEVICE, base_url=url)
    with killed_at_end(port, database):
        conversation_id = str(client.start_conversation().id)
        operator, hearers = Operator(url, conversation_id), Hearers(url, conversation_id)
        operator.take_over()
        hearers.start()
        with httpx.Client() as http:
            wait(lambda: operator.say(http, "Anybody?") and all(hearers.heard.values()))
    operator.said = 0
    operator.start()
    for number in range(1, ROUNDS + 1):
        with killed_at_end(port, database):
            wait(partial(operator.has_said, PER_ROUND * number))
    with killed_at_end(port, database):
        operator.silent.set()
        operator.join(LIMIT)
        with httpx.Client() as http:
            operator.say(http, LAST)
        hearers.end()
        found = client.get_messages(conversation_id, role="human_agent", limit=1000)
        expected = [message.id for message in found]
    client.close()
    for events in hearers.heard.values():
        said = [event for event in events if isinstance(event, SocketNewMessage)]
        # What was said before both listened is not an event.
        start = expected.index(said[0].message.id)
        assert len(expected) - start > ROUNDS * PER_ROUND
        assert expected[start:] == [event.message.id for event in said]
        assert {True, False} == {event.caught_up for event in said}


LAST = "That was all."


def is_last(event: SocketEvent) -> bool:
    """Return whether an event is the last message of the operator."""
    return isinstance(event, SocketNewMessage) and event.message.text == LAST


def test_a_hundred_listeners_in_one_loop() -> None:
    """Each of a hundred listeners gets each event; afterwards nothing is left open."""

    async def one(client: AsyncSiteAssist, conversation_id: str) -> list[str]:
        async with client.listen(conversation_id, timeout=LIMIT) as events:
            found = []
            async for event in events:
                found.append(event.type_)
                if is_last(event):
                    break
            return found

    async def main(url: str, conversation_id: str, speak: Callable[[], None]) -> None:
        async with AsyncSiteAssist(api_key=API_KEY, device_id="many", base_url=url) as client:
            tasks = [asyncio.create_task(one(client, conversation_id)) for _ in range(100)]
            await asyncio.to_thread(speak)
            for found in await asyncio.gather(*tasks):
                assert ["human_assigned", "new_message", "new_message"] == found
            assert 1 == len(asyncio.all_tasks())

    with mock_server() as mock:
        with SiteAssist(api_key=API_KEY, device_id="many", base_url=mock.url) as client:
            conversation_id = str(client.start_conversation().id)

        def speak() -> None:
            # Each listener reads the list before it connects and afterwards.
            wait(lambda: 200 == sum(one["operationId"] == "getMessages" for one in mock.requests))
            mock.hand_over(conversation_id, name="Sam")
            mock.say(conversation_id, "Hello")
            mock.say(conversation_id, LAST)

        asyncio.run(main(mock.url, conversation_id, speak))
    # An open connection would warn when it is collected, and warnings are errors.
    gc.collect()


@pytest.mark.parametrize("awaited", [False, True], ids=["sync", "async"])
def test_refusals_of_the_mock(awaited: bool) -> None:
    """A wrong key and an unknown conversation raise their errors."""

    async def listen_async(url: str, conversation_id: str, key: str) -> object:
        async with AsyncSiteAssist(api_key=API_KEY, base_url=url) as client:
            return await anext(client.listen(conversation_id, api_key=key))

    def listen(url: str, conversation_id: str, key: str) -> object:
        if awaited:
            return asyncio.run(listen_async(url, conversation_id, key))
        with SiteAssist(api_key=API_KEY, base_url=url) as client:
            return next(client.listen(conversation_id, api_key=key))

    with mock_server() as mock:
        with pytest.raises(NotFoundError, match="getMessages"):
            listen(mock.url, UNKNOWN_ID, API_KEY)
        with SiteAssist(api_key=API_KEY, device_id=DEVICE, base_url=mock.url) as client:
            conversation_id = str(client.start_conversation().id)
            with pytest.raises(UnauthorizedError, match="connectConversation"):
                next(client.listen(conversation_id, api_key="pk_wrong_1234567890"))


@pytest.mark.parametrize("closed", ["listener", "client"])
def test_another_thread_ends_the_wait_for_the_mock(closed: str) -> None:
    """A thread that waits for an event of a real connection ends when another one closes it."""
    with mock_server() as mock, SiteAssist(api_key=API_KEY, base_url=mock.url) as client:
        conversation_id = str(client.start_conversation().id)
        mock.hand_over(conversation_id)
        events = client.listen(conversation_id, timeout=LIMIT)
        heard: list[SocketEvent] = []
        thread = threading.Thread(target=lambda: heard.extend(events))
        thread.start()
        wait(lambda: 2 == sum(one["operationId"] == "getMessages" for one in mock.requests))
        (events if closed == "listener" else client).close()
        thread.join(LIMIT)
        assert not thread.is_alive()
        assert [] == heard


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("awaited", [False, True], ids=["sync", "async"])
def test_asking_an_agent_of_the_mock(awaited: bool, library: LibraryName) -> None:
    """The reply is the answer, whether the assistant or an agent gives it, with each library."""

    async def ask(url: str, conversation_id: str, content: str) -> str:
        async with AsyncSiteAssist(
            api_key=API_KEY, device_id=DEVICE, base_url=url, http_library=library
        ) as client:
            return (await client.ask(conversation_id, content)).text

    with (
        mock_server(strict=True) as mock,
        SiteAssist(
            api_key=API_KEY, device_id=DEVICE, base_url=mock.url, http_library=library
        ) as client,
    ):
        conversation_id = str(client.start_conversation().id)

        def answer(content: str) -> str:
            if awaited:
                return asyncio.run(ask(mock.url, conversation_id, content))
            return client.ask(conversation_id, content).text

        assert "Sam" not in answer("Hello?")
        mock.hand_over(conversation_id, name="Sam")

        def reply() -> None:
            wait(lambda: any(one["status"] == 202 for one in mock.requests))
            mock.say(conversation_id, "Sam here.")

        operator = threading.Thread(target=reply)
        operator.start()
        assert "Sam here." == answer("Is anybody there?")
        operator.join()
