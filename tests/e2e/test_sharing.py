"""One client shared by threads, tasks, event loops and processes."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from siteassist import (
    AsyncSiteAssist,
    SiteAssist,
    SiteAssistError,
    UnauthorizedError,
)
from tests.values import API_KEY

if TYPE_CHECKING:
    from tests.e2e.conftest import Connection, FaultServer, Mock

QUESTION = "How long does shipping take?"
ANSWER = "Two to four working days within the country."
INIT = "POST /identity/init"
CONVERSATION_ID = "7c0e3f5a-1b2d-4c6e-8f90-a1b2c3d4e5f6"
LIMIT = 60.0
"""Seconds after which an operation counts as hung."""
THREADS = 16
TASKS = 20


def http(status: int, body: bytes) -> bytes:
    """Return a complete response."""
    return b"HTTP/1.1 %d Said so\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


VISITOR = http(200, b'{"id": "%b", "type": "anonymous"}' % CONVERSATION_ID.encode())
SESSION = http(201, b'{"sessionToken": "a-session"}')
EXPIRED = http(401, b"{}")
BEGUN = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    b'data: {"type": "text-delta", "id": "1", "delta": "Hello"}\n\n'
)


def hold(connection: Connection) -> None:
    """Send nothing more."""
    connection.hold()


def pause(connection: Connection) -> None:
    """Wait for the test."""
    connection.wait()


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Call ``work`` in several threads at the same time, and return the results."""
    barrier = threading.Barrier(count)

    def begin(number: int) -> Any:
        barrier.wait(LIMIT)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return [done.result(LIMIT) for done in [pool.submit(begin, n) for n in range(count)]]


def run(main: Coroutine[Any, Any, Any], *, debug: bool = True) -> Any:
    """Run ``main`` on a new event loop, and fail on any problem that the loop reports."""
    problems: list[object] = []

    async def watched() -> Any:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context))
        return await asyncio.wait_for(main, LIMIT)

    result = asyncio.run(watched(), debug=debug)
    # An unclosed resource warns when it is collected, and warnings are errors.
    gc.collect()
    assert [] == problems
    return result


async def wait_for(server: FaultServer, condition: Callable[[], bool]) -> None:
    """Wait for the server without blocking the event loop."""
    await asyncio.to_thread(server.wait, condition)


def talk(client: SiteAssist, number: int) -> list[str]:
    """Hold a conversation, and return its title, answers and roles."""
    question = f"{QUESTION} {number}"
    conversation = client.start_conversation()
    answer = client.send_message(conversation.id, content=question)
    with client.send_message_stream(conversation.id, content=question) as stream:
        text = stream.until_done().text
    title = client.get_conversation(conversation.id).title
    roles = [message.role for message in client.get_messages(conversation.id)]
    return [str(title), answer.text, text, *roles]


async def talk_async(client: AsyncSiteAssist, number: int) -> list[str]:
    """Hold a conversation, and return its title, answers and roles."""
    question = f"{QUESTION} {number}"
    conversation = await client.start_conversation()
    answer = await client.send_message(conversation.id, content=question)
    async with client.send_message_stream(conversation.id, content=question) as stream:
        text = (await stream.until_done()).text
    title = (await client.get_conversation(conversation.id)).title
    roles = [message.role async for message in client.get_messages(conversation.id)]
    return [str(title), answer.text, text, *roles]


def check_talks(talks: list[list[str]]) -> None:
    """Fail if a conversation contains text of another one."""
    for number, (title, answer, text, *roles) in enumerate(talks):
        assert f"{QUESTION} {number}" == title
        assert ANSWER in answer
        assert answer == text
        assert ["user", "assistant"] * 2 == roles


def test_threads_share_a_client(mock: Mock) -> None:
    """Threads that start together share one session, and each gets its own answers."""
    with SiteAssist(api_key=API_KEY, base_url=mock.url) as client:
        check_talks(in_threads(THREADS, lambda number: talk(client, number)))
        assert THREADS == client.get_conversations().total
        http_client: Any = client._caller._http
        pool = http_client._transport._pool
        assert [] == [one for one in pool.connections if not one.is_idle()]
    assert [] == pool.connections
    assert 1 == mock.count(INIT)


def test_tasks_share_a_client(mock: Mock) -> None:
    """Tasks that start together share one session, and each gets its own answers."""

    async def main() -> None:
        async with AsyncSiteAssist(api_key=API_KEY, base_url=mock.url) as client:
            talks = (talk_async(client, number) for number in range(TASKS))
            check_talks(await asyncio.gather(*talks))
            assert TASKS == await client.get_conversations().total

    # The debug mode is slow with this many tasks.
    run(main(), debug=False)
    assert 1 == mock.count(INIT)


def test_failed_start_lets_the_next_task_try(server: FaultServer) -> None:
    """A failed start fails only its own task; the next one starts a session for all others."""
    server.answer([VISITOR])
    server.answer_init([EXPIRED], [SESSION])

    async def main() -> list[Any]:
        async with AsyncSiteAssist(api_key=API_KEY, base_url=server.url) as client:
            calls = (client.get_me() for _ in range(TASKS))
            return await asyncio.gather(*calls, return_exceptions=True)

    failed = [outcome for outcome in run(main()) if isinstance(outcome, BaseException)]
    assert [UnauthorizedError] == [type(error) for error in failed]
    assert 2 == len(server.of("/identity/init"))


@pytest.mark.parametrize("where", ["in a call", "in the start of a session", "in a stream"])
def test_cancelled_task_leaves_nothing_behind(server: FaultServer, where: str) -> None:
    """A cancelled task leaves no connection or lock behind, and the next call succeeds."""
    server.answer([hold], [VISITOR])
    if where == "in the start of a session":
        server.answer([VISITOR])
        server.answer_init([hold], [SESSION])
    if where == "in a stream":
        server.answer([BEGUN, hold], [VISITOR])

    async def listen(client: AsyncSiteAssist, begun: asyncio.Event) -> None:
        async with client.send_message_stream(CONVERSATION_ID, content="Hi") as stream:
            async for _ in stream:
                begun.set()

    async def main() -> None:
        async with AsyncSiteAssist(api_key=API_KEY, base_url=server.url, timeout=None) as client:
            begun = asyncio.Event()
            if where == "in a stream":
                task = asyncio.create_task(listen(client, begun))
                await begun.wait()
            else:
                task = asyncio.create_task(client.get_me())  # type: ignore[arg-type]  # or a visitor
                asked = "/identity/me" if where == "in a call" else "/identity/init"
                await wait_for(server, lambda: len(server.of(asked)) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            (state,) = client._caller._loops.values()
            pool = state.http._transport._pool
            assert [] == [one for one in pool.connections if not one.is_idle()]
            assert [] == pool._requests
            await wait_for(server, lambda: server.open == len(pool.connections))
            assert "anonymous" == (await client.get_me()).type_

    run(main())
    server.wait(lambda: server.open == 0)


def test_closing_fails_the_calls_of_other_tasks(server: FaultServer) -> None:
    """Closing the client fails the calls of other tasks at once, without new connections."""
    server.answer([hold])

    async def main() -> None:
        client = AsyncSiteAssist(api_key=API_KEY, base_url=server.url, max_retries=0)
        task = asyncio.create_task(client.get_me())
        await wait_for(server, lambda: len(server.of("/identity/me")) == 1)
        await client.aclose()
        with pytest.raises(SiteAssistError):
            await task
        await wait_for(server, lambda: server.open == 0)
        with pytest.raises(SiteAssistError, match="the client is closed"):
            await client.get_me()

    run(main())
    assert 1 == server.opened


def test_successive_loops_share_a_client(mock: Mock) -> None:
    """Successive event loops share one session, and no ended loop is kept alive."""
    client = AsyncSiteAssist(api_key=API_KEY, base_url=mock.url)
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def main(number: int) -> list[str]:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        return await talk_async(client, number)

    check_talks([run(main(number)) for number in range(3)])
    run(client.aclose())
    assert 1 == mock.count(INIT)
    gc.collect()
    assert [None] * 3 == [loop() for loop in loops]


def test_concurrent_loops_share_a_client(mock: Mock) -> None:
    """Event loops in several threads share a session and have their own connections."""
    client = AsyncSiteAssist(api_key=API_KEY, base_url=mock.url)
    run(client.get_me())
    check_talks(in_threads(4, lambda number: run(talk_async(client, number))))
    run(client.aclose())
    assert 1 == mock.count(INIT)


def test_collected_client_closes_its_connections(server: FaultServer) -> None:
    """A client that is garbage collected closes its connections without a warning."""
    server.answer([VISITOR])
    client = SiteAssist(api_key=API_KEY, base_url=server.url)
    client.get_me()
    assert 1 == server.open
    del client
    gc.collect()
    server.wait(lambda: server.open == 0)


def test_async_client_closes_its_connections_with_the_loop(
    server: FaultServer,
) -> None:
    """The end of the event loop closes an async client's connections without a warning."""
    server.answer([VISITOR])

    async def main() -> None:
        client = AsyncSiteAssist(api_key=API_KEY, base_url=server.url)
        await client.get_me()
        assert 1 == server.open

    run(main())
    server.wait(lambda: server.open == 0)


SCRIPT = """
import asyncio, logging, os, signal, sys, threading, traceback, urllib.request
from siteassist import AsyncSiteAssist, SiteAssist

# asyncio's warnings about slow callbacks would fail the test on slow machines.
logging.getLogger("asyncio").setLevel(logging.ERROR)

URL, KEY = sys.argv[1:]

def fork(work, leave=os._exit):
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        leave(code)
    assert os.waitpid(child, 0)[1] == 0, "the child has failed"
"""

FORKS = {
    "a blocking client": """
client = SiteAssist(api_key=KEY, base_url=URL)
client.get_me()
fork(client.get_me)
client.get_me()
client.close()
""",
    "a child that closes": """
client = SiteAssist(api_key=KEY, base_url=URL)
client.get_me()
def work():
    with client:
        client.get_me()
fork(work)
client.get_me()
client.close()
""",
    "a child that exits normally": """
client = SiteAssist(api_key=KEY, base_url=URL)
client.get_me()
def work():
    with client:
        client.get_me()
fork(work, leave=sys.exit)
client.get_me()
client.close()
""",
    "between two loops": """
client = AsyncSiteAssist(api_key=KEY, base_url=URL)
async def ask():
    await client.get_me()
loop = asyncio.new_event_loop()
loop.run_until_complete(ask())
fork(lambda: asyncio.run(ask()))
loop.run_until_complete(ask())
loop.run_until_complete(client.aclose())
loop.run_until_complete(loop.shutdown_asyncgens())
loop.close()
""",
    "in a loop": """
client = AsyncSiteAssist(api_key=KEY, base_url=URL)
async def ask():
    await client.get_me()
async def main():
    await ask()
    fork(lambda: asyncio.run(ask()))
    await ask()
    await client.aclose()
asyncio.run(main())
""",
}


def run_script(script: str, server: FaultServer, *flags: str) -> None:
    """Run a program, and fail if it prints anything or exits with an error."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", *flags, "-c", script, server.url, API_KEY],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert ("", "", 0) == (done.stdout, done.stderr, done.returncode)


@pytest.mark.parametrize("fork", FORKS)
def test_both_processes_continue_after_a_fork(server: FaultServer, fork: str) -> None:
    """After a fork the child opens a connection but keeps the session; the parent keeps both.

    This runs in separate programs, since the test process has threads and cannot be forked
    safely.
    """
    server.answer([VISITOR])
    run_script(SCRIPT + FORKS[fork], server)
    assert [("init", 1), ("me", 1), ("me", 2), ("me", 1)] == [
        (request.path.rpartition("/")[2], request.connection) for request in server.requests
    ]


def test_fork_during_the_start_of_a_session(server: FaultServer) -> None:
    """A child forked while a thread of the parent starts a session starts its own session."""

    def started(connection: Connection) -> None:
        connection.server.wait(lambda: len(connection.server.of("/identity/init")) == 1)

    def go(connection: Connection) -> None:
        connection.server.go.set()

    # The answers to /started, to the child, to /go, and to the thread.
    server.answer([started, VISITOR], [VISITOR], [go, VISITOR], [VISITOR])
    server.answer_init([pause, SESSION], [SESSION])
    script = """
client = SiteAssist(api_key=KEY, base_url=URL)
thread = threading.Thread(target=client.get_me)
thread.start()
urllib.request.urlopen(URL + "/started").close()
fork(lambda: client.get_me(timeout=5))
urllib.request.urlopen(URL + "/go").close()
thread.join()
client.close()
"""
    # Newer versions of Python warn about forking with threads, as is done here.
    run_script(SCRIPT + script, server, "-W", "ignore::DeprecationWarning")
    assert 2 == len(server.of("/identity/init"))
    assert 2 == len(server.of("/identity/me"))


def test_child_exits_although_a_lock_is_held(server: FaultServer) -> None:
    """A child exits although a thread of the parent holds the lock of the connection pool.

    That thread does not exist in the child and never releases the lock, so the child must not
    use the parent's pool, even on exit.
    """
    server.answer([VISITOR])
    script = """
client = SiteAssist(api_key=KEY, base_url=URL)
client.get_me()
held, done = threading.Event(), threading.Event()
def work():
    with client._caller._http._transport._pool._optional_thread_lock:
        held.set()
        done.wait()
thread = threading.Thread(target=work)
thread.start()
held.wait()
def in_child():
    signal.alarm(5)
    client.get_me()
try:
    fork(in_child, leave=sys.exit)
finally:
    done.set()
    thread.join()
client.get_me()
client.close()
"""
    run_script(SCRIPT + script, server, "-W", "ignore::DeprecationWarning")
    assert [1, 1, 2, 1] == [request.connection for request in server.requests]
