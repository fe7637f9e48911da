"""One client serves many: threads, tasks, event loops and processes."""

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
    APITimeoutError,
    AsyncSiteAssist,
    SiteAssist,
    SiteAssistError,
    UnauthorizedError,
)
from tests.values import API_KEY

if TYPE_CHECKING:
    from tests.e2e.conftest import Connection, FaultServer, Mock, Step

QUESTION = "How long does shipping take?"
ANSWER = "Two to four working days within the country."
INIT = "POST /identity/init"
CONVERSATION_ID = "7c0e3f5a-1b2d-4c6e-8f90-a1b2c3d4e5f6"
LIMIT = 60.0
"""Seconds after which something counts as hung."""
SHORT = 0.2
"""Seconds that a call gets which is to run out of time."""
THREADS = 16
TASKS = 50


def http(status: int, body: bytes) -> bytes:
    """Return a whole answer."""
    return b"HTTP/1.1 %d Said so\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


VISITOR = http(200, b'{"id": "%b", "type": "anonymous"}' % CONVERSATION_ID.encode())
SESSION = http(201, b'{"sessionToken": "session-of-somebody"}')
EXPIRED = http(401, b"{}")
BEGUN = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    b'data: {"type": "text-delta", "id": "1", "delta": "Hello"}\n\n'
)


def hold(connection: Connection) -> None:
    """Say nothing more."""
    connection.hold()


def pause(connection: Connection) -> None:
    """Wait for the test."""
    connection.wait()


def all_at_once(count: int) -> Callable[[Connection], None]:
    """Return a step that nobody gets past before so many have come."""
    barrier = threading.Barrier(count)

    def wait(_: Connection) -> None:
        barrier.wait(LIMIT)

    return wait


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Do ``work`` in so many threads at the same moment, and return what each gave."""
    barrier = threading.Barrier(count)

    def begin(number: int) -> Any:
        barrier.wait(LIMIT)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return [done.result(LIMIT) for done in [pool.submit(begin, n) for n in range(count)]]


def run(main: Coroutine[Any, Any, Any], *, debug: bool = True) -> Any:
    """Run ``main`` on a loop of its own that complains about everything."""
    problems: list[object] = []

    async def watched() -> Any:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context))
        return await asyncio.wait_for(main, LIMIT)

    result = asyncio.run(watched(), debug=debug)
    # What was not closed warns when it is collected, and warnings are errors.
    gc.collect()
    assert [] == problems
    return result


async def reaches(server: FaultServer, condition: Callable[[], bool]) -> None:
    """Wait for the server, while the event loop goes on."""
    await asyncio.to_thread(server.wait, condition)


def talk(client: SiteAssist, number: int) -> list[str]:
    """Have a conversation of one's own; return what was heard of it."""
    question = f"{QUESTION} {number}"
    conversation = client.start_conversation()
    answer = client.send_message(conversation.id, content=question)
    with client.send_message_stream(conversation.id, content=question) as stream:
        text = stream.until_done().text
    title = client.get_conversation(conversation.id).title
    roles = [message.role for message in client.get_messages(conversation.id)]
    return [str(title), answer.text, text, *roles]


async def talk_async(client: AsyncSiteAssist, number: int) -> list[str]:
    """Have a conversation of one's own; return what was heard of it."""
    question = f"{QUESTION} {number}"
    conversation = await client.start_conversation()
    answer = await client.send_message(conversation.id, content=question)
    async with client.send_message_stream(conversation.id, content=question) as stream:
        text = (await stream.until_done()).text
    title = (await client.get_conversation(conversation.id)).title
    roles = [message.role async for message in client.get_messages(conversation.id)]
    return [str(title), answer.text, text, *roles]


def check_talks(talks: list[list[str]]) -> None:
    """Fail if anybody has heard what was meant for somebody else."""
    for number, (title, answer, text, *roles) in enumerate(talks):
        assert f"{QUESTION} {number}" == title
        assert ANSWER in answer
        assert answer == text
        assert ["user", "assistant"] * 2 == roles


def test_threads_share_a_client(mock: Mock) -> None:
    """They begin at the same moment, start one session, and each gets its own answers."""
    with SiteAssist(api_key=API_KEY, base_url=mock.url) as client:
        check_talks(in_threads(THREADS, lambda number: talk(client, number)))
        assert THREADS == client.get_conversations().total
        http_client: Any = client._caller._http
        pool = http_client._transport._pool
        assert [] == [one for one in pool.connections if not one.is_idle()]
    assert [] == pool.connections
    assert 1 == mock.count(INIT)


def test_tasks_share_a_client(mock: Mock) -> None:
    """They begin at the same moment, start one session, and each gets its own answers."""

    async def main() -> None:
        async with AsyncSiteAssist(api_key=API_KEY, base_url=mock.url) as client:
            talks = (talk_async(client, number) for number in range(TASKS))
            check_talks(await asyncio.gather(*talks))
            assert TASKS == await client.get_conversations().total

    # So many take their time where each step is watched.
    run(main(), debug=False)
    assert 1 == mock.count(INIT)


def test_threads_renew_a_session_once(server: FaultServer) -> None:
    """All of them are told that it has expired, and one of them starts the next."""
    server.answer([VISITOR])
    with SiteAssist(api_key=API_KEY, base_url=server.url) as client:
        client.get_me()
        expired: list[Step] = [all_at_once(THREADS), EXPIRED]
        server.answer(*([expired] * THREADS), [VISITOR])
        in_threads(THREADS, lambda _: client.get_me())
    assert 2 == len(server.of("/identity/init"))
    asked = [request.headers["authorization"] for request in server.of("/identity/me")]
    assert THREADS == asked.count("Bearer session-2")


def test_tasks_renew_a_session_once(server: FaultServer) -> None:
    """All of them are told that it has expired, and one of them starts the next."""
    server.answer([VISITOR])

    async def main() -> None:
        async with AsyncSiteAssist(api_key=API_KEY, base_url=server.url) as client:
            await client.get_me()
            expired: list[Step] = [all_at_once(TASKS), EXPIRED]
            server.answer(*([expired] * TASKS), [VISITOR])
            await asyncio.gather(*(client.get_me() for _ in range(TASKS)))

    run(main())
    assert 2 == len(server.of("/identity/init"))
    asked = [request.headers["authorization"] for request in server.of("/identity/me")]
    assert TASKS == asked.count("Bearer session-2")


def test_threads_do_not_fail_by_the_session_of_another(server: FaultServer) -> None:
    """Whose start failed hears of it; the next one starts a session for all the others."""
    server.answer([VISITOR])
    server.answer_init([EXPIRED], [SESSION])

    def work(client: SiteAssist) -> str:
        try:
            return str(client.get_me().type_)
        except UnauthorizedError as error:
            return str(error.operation)

    with SiteAssist(api_key=API_KEY, base_url=server.url) as client:
        outcomes = in_threads(THREADS, lambda _: work(client))
    assert ["anonymous"] * (THREADS - 1) + ["init"] == sorted(outcomes)
    assert 2 == len(server.of("/identity/init"))


def test_tasks_do_not_fail_by_the_session_of_another(server: FaultServer) -> None:
    """Whose start failed hears of it; the next one starts a session for all the others."""
    server.answer([VISITOR])
    server.answer_init([EXPIRED], [SESSION])

    async def main() -> list[Any]:
        async with AsyncSiteAssist(api_key=API_KEY, base_url=server.url) as client:
            calls = (client.get_me() for _ in range(TASKS))
            return await asyncio.gather(*calls, return_exceptions=True)

    failed = [outcome for outcome in run(main()) if isinstance(outcome, BaseException)]
    assert [UnauthorizedError] == [type(error) for error in failed]
    assert 2 == len(server.of("/identity/init"))


def test_a_thread_waits_for_a_session_no_longer_than_it_has_time(server: FaultServer) -> None:
    """The one that starts it may take longer, and succeeds in the end."""
    server.answer([VISITOR])
    server.answer_init([pause, SESSION])
    with (
        SiteAssist(api_key=API_KEY, base_url=server.url) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        patient = pool.submit(client.get_me)
        server.wait(lambda: len(server.requests) == 1)
        with pytest.raises(APITimeoutError):
            client.get_me(timeout=SHORT)
        server.go.set()
        assert "anonymous" == patient.result(LIMIT).type_
    assert 1 == len(server.of("/identity/init"))


def test_a_task_waits_for_a_session_no_longer_than_it_has_time(server: FaultServer) -> None:
    """The one that starts it may take longer, and succeeds in the end."""
    server.answer([VISITOR])
    server.answer_init([pause, SESSION])

    async def main() -> None:
        async with AsyncSiteAssist(api_key=API_KEY, base_url=server.url) as client:
            patient = asyncio.create_task(client.get_me())
            await reaches(server, lambda: len(server.requests) == 1)
            with pytest.raises(APITimeoutError):
                await client.get_me(timeout=SHORT)
            server.go.set()
            assert "anonymous" == (await patient).type_

    run(main())
    assert 1 == len(server.of("/identity/init"))


@pytest.mark.parametrize("where", ["in a call", "in the start of a session", "in a stream"])
def test_a_task_that_is_cancelled_leaves_nothing_behind(server: FaultServer, where: str) -> None:
    """Neither a connection nor a lock: the server notices, and the next call succeeds."""
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
                await reaches(server, lambda: len(server.of(asked)) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            (state,) = client._caller._loops.values()
            pool = state.http._transport._pool  # type: ignore[attr-defined]
            assert [] == [one for one in pool.connections if not one.is_idle()]
            assert [] == pool._requests
            await reaches(server, lambda: server.open == len(pool.connections))
            assert "anonymous" == (await client.get_me()).type_

    run(main())
    server.wait(lambda: server.open == 0)


def test_closing_ends_the_calls_of_other_tasks(server: FaultServer) -> None:
    """They fail as documented, at once, and open nothing anew."""
    server.answer([hold])

    async def main() -> None:
        client = AsyncSiteAssist(api_key=API_KEY, base_url=server.url, max_retries=0)
        task = asyncio.create_task(client.get_me())
        await reaches(server, lambda: len(server.of("/identity/me")) == 1)
        await client.aclose()
        with pytest.raises(SiteAssistError):
            await task
        await reaches(server, lambda: server.open == 0)
        with pytest.raises(SiteAssistError, match="the client is closed"):
            await client.get_me()

    run(main())
    assert 1 == server.opened


def test_loops_share_a_client_one_after_the_other(mock: Mock) -> None:
    """One session, and nothing is kept of a loop that has ended."""
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


def test_loops_share_a_client_at_the_same_time(mock: Mock) -> None:
    """Each in a thread, with connections of its own, and with the session that is there."""
    client = AsyncSiteAssist(api_key=API_KEY, base_url=mock.url)
    run(client.get_me())
    check_talks(in_threads(4, lambda number: run(talk_async(client, number))))
    run(client.aclose())
    assert 1 == mock.count(INIT)


def test_a_client_that_is_forgotten_closes_its_connections(server: FaultServer) -> None:
    """Nobody has to be told, and nobody is warned."""
    server.answer([VISITOR])
    client = SiteAssist(api_key=API_KEY, base_url=server.url)
    client.get_me()
    assert 1 == server.open
    del client
    gc.collect()
    server.wait(lambda: server.open == 0)


def test_an_asynchronous_client_that_is_forgotten_closes_its_connections(
    server: FaultServer,
) -> None:
    """When the loop ends; nobody has to be told, and nobody is warned."""
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

# It warns of what is slow, and so would fail on slow machines.
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
    "a client that blocks": """
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
    "a child that ends like any program": """
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
    """Run a program that makes noise about nothing but failures."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", *flags, "-c", script, server.url, API_KEY],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert ("", "", 0) == (done.stdout, done.stderr, done.returncode)


@pytest.mark.parametrize("fork", FORKS)
def test_both_processes_go_on_after_a_fork(server: FaultServer, fork: str) -> None:
    """The child connects by itself, with the session that is there; the parent's connection stays.

    In programs of their own: the threads of the tests are nothing to fork.
    """
    server.answer([VISITOR])
    run_script(SCRIPT + FORKS[fork], server)
    assert [("init", 1), ("me", 1), ("me", 2), ("me", 1)] == [
        (request.path.rpartition("/")[2], request.connection) for request in server.requests
    ]


def test_a_fork_in_the_middle_of_a_start_leaves_no_lock(server: FaultServer) -> None:
    """A thread of the parent starts a session; the child has no such thread, and starts its own."""

    def started(connection: Connection) -> None:
        connection.server.wait(lambda: len(connection.server.of("/identity/init")) == 1)

    def go(connection: Connection) -> None:
        connection.server.go.set()

    # For the question whether the thread is there yet, for the child, for the
    # word to go on, and for the thread.
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
    # Newer Pythons warn of forking with threads, which is what this is about.
    run_script(SCRIPT + script, server, "-W", "ignore::DeprecationWarning")
    assert 2 == len(server.of("/identity/init"))
    assert 2 == len(server.of("/identity/me"))


def test_a_child_ends_whatever_other_threads_held(server: FaultServer) -> None:
    """A thread of the parent was busy with its connections, and is not there in the child.

    So nobody will let go of them: the child must leave them alone, also when it ends.
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
