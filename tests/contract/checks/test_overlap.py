"""Requests at the same time: faulty servers with a race are found, correct ones keep the rule."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract.checks import overlap
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.description import operations
from siteassist_contract.findings import Findings
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import Recorder
from siteassist_contract.http.redaction import Filter
from siteassist_contract.profiles import FIRST, PROFILES
from siteassist_contract.report.reproduction import Renderer
from siteassist_contract.rules import RULES
from tests.contract.conftest import BASE
from tests.values import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Forward, InProcess, MakeContext

pytestmark = pytest.mark.one_interpreter

RACE = 0.03
"""Time, in seconds, between the look and the write of a faulty server."""
Race = Callable[[httpx.Request, "Forward"], httpx.Response]


class Racing(httpx.BaseTransport):
    """A transport to a mock behind a fault, which threads enter at the same time."""

    def __init__(self, mock: InProcess, race: Race) -> None:
        self._mock = mock
        self._race = race

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Respond through the fault; only the mock itself is entered in turns."""
        request.read()
        return self._race(request, self._mock.forward)

    def close(self) -> None:
        """Do nothing: the mock belongs to the module."""


def check(
    mock: InProcess,
    race: Race,
    *,
    first: bool = False,
    api_key: str | None = API_KEY,
    token: str | None = None,
) -> Findings:
    """Run the checks on a mock behind a fault, and return their findings."""
    devices: dict[str, str] = {}
    found = Findings(secrets=Filter([api_key]), render=Renderer(BASE, api_key, devices))
    recorder = Recorder(transport=Racing(mock, race))
    target = Target(BASE, api_key, token)
    context = CheckContext(target, PROFILES["quick"], recorder, found, devices)
    if first:
        context.size = FIRST
    overlap.check_overlap(context)
    return found


def found(mock: InProcess, race: Race, *, first: bool = False) -> set[str]:
    """Return the operations and the places of the violations of the rule."""
    violations = check(mock, race, first=first).violations.items()
    return {key for key, each in violations if each.rule == overlap.RULE}


def is_(request: httpx.Request, method: str, end: str) -> bool:
    """Whether a request has a method and a path with this end."""
    return request.method == method and request.url.path.endswith(end)


class Meeting:
    """A place where requests see that others are on their way at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: dict[str, int] = {}

    def others(self, key: str) -> bool:
        """Stay for a moment, and return whether another request was there."""
        with self._lock:
            self._inside[key] = self._inside.get(key, 0) + 1
            met = self._inside[key] > 1
        time.sleep(RACE)
        with self._lock:
            met = met or self._inside[key] > 1
        time.sleep(RACE)
        with self._lock:
            self._inside[key] -= 1
        return met


def conversation_of(request: httpx.Request) -> str:
    """Return the segment of a path that names the conversation, or an empty string."""
    segments = request.url.path.split("/")
    return segments[segments.index("conversations") + 1] if "conversations" in segments[:-1] else ""


# Faulty servers


def lost_message() -> Race:
    """Lose one of two messages that are written back as a whole list."""
    meeting, lock = Meeting(), threading.Lock()
    latest: dict[str, float] = {}

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        if is_(request, "POST", "/messages"):
            key = conversation_of(request)
            if meeting.others(key):
                with lock:
                    lost = time.monotonic() - latest.get(key, 0) < 1
                    latest[key] = time.monotonic()
                if lost:
                    return httpx.Response(200, json={"steps": [{"content": [], "usage": {}}]})
        return forward(request)

    return race


def doubled_message() -> Race:
    """Store both messages twice if they come at the same time, as after a retry."""
    meeting = Meeting()

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        met = is_(request, "POST", "/messages") and meeting.others(conversation_of(request))
        if met:
            forward(
                httpx.Request(
                    request.method, request.url, headers=request.headers, content=request.content
                )
            )
        return forward(request)

    return race


def two_visitors_of_a_device() -> Race:
    """Create a visitor for each of two sessions of one new device."""
    meeting = Meeting()

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        if is_(request, "POST", "/identity/init"):
            body = json.loads(request.content)
            if meeting.others(body["saVid"]):
                body["saVid"] = f"{body['saVid'][:80]}-{threading.get_ident()}"
                return forward(httpx.Request("POST", request.url, json=body))
        return forward(request)

    return race


def two_times_created() -> Race:
    """Answer 201 to both sessions of one new device."""
    meeting = Meeting()

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        if is_(request, "POST", "/identity/init"):
            met = meeting.others(json.loads(request.content)["saVid"])
            answer = forward(request)
            return httpx.Response(201, json=answer.json()) if met else answer
        return forward(request)

    return race


def conflict_as_failure() -> Race:
    """Fail with 500 if two requests close one conversation."""
    meeting = Meeting()

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        if is_(request, "POST", "/close") and meeting.others(conversation_of(request)):
            error = {"error": {"code": "DEADLOCK", "message": "Deadlock"}}
            return httpx.Response(500, json=error)
        return forward(request)

    return race


def reopened() -> Race:
    """Show a conversation as open for good if a message comes while it is closed."""
    meeting = Meeting()
    open_: set[str] = set()

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        key = conversation_of(request)
        if is_(request, "POST", "/close") or is_(request, "POST", "/messages"):
            if meeting.others(key):
                open_.add(key)
            return forward(request)
        answer = forward(request)
        if key in open_ and is_(request, "GET", key):
            shown = {**answer.json(), "status": "open", "closedAt": None, "closeReason": None}
            return httpx.Response(200, json=shown)
        return answer

    return race


def one_id_for_two() -> Race:
    """Give two conversations that start at the same time one id."""
    meeting, lock = Meeting(), threading.Lock()
    answers: list[Any] = []

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        if is_(request, "POST", "/conversations") and meeting.others("start"):
            with lock:
                answer = forward(request)
                answers.append(answer.json())
                return httpx.Response(201, json=answers[-2 if len(answers) % 2 == 0 else -1])
        return forward(request)

    return race


def uncounted() -> Race:
    """Count two conversations that start at the same time as one."""
    meeting, lock = Meeting(), threading.Lock()
    missing: dict[str, int] = {}

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        token = request.headers.get("Authorization", "")
        if is_(request, "POST", "/conversations") and meeting.others(token):
            with lock:
                missing[token] = missing.get(token, 0) + 1
        answer = forward(request)
        if is_(request, "GET", "/conversations") and answer.status_code == 200:
            shown = answer.json()
            lost = missing.get(token, 0) // 2
            return httpx.Response(200, json={**shown, "total": shown["total"] - lost})
        return answer

    return race


def half_removed_feedback() -> Race:
    """Leave the time of feedback that is given and removed at the same time."""
    meeting = Meeting()
    given: dict[str, list[str | None]] = {}
    left: set[str] = set()

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        if is_(request, "POST", "/feedback"):
            message = request.url.path.split("/")[-2]
            given.setdefault(message, []).append(json.loads(request.content)["feedback"])
            if meeting.others(message) and None in given[message][-2:]:
                left.add(message)
        answer = forward(request)
        if is_(request, "GET", "/messages") and answer.status_code == 200:
            shown = answer.json()
            for each in shown["data"]:
                if each["id"] in left:
                    each |= {"feedback": None, "feedbackAt": each["createdAt"]}
            return httpx.Response(200, json=shown)
        return answer

    return race


def crosswise_answers() -> Race:
    """Store the answers of two streams at the same time in place of each other."""
    meeting = Meeting()
    streamed: dict[str, list[str]] = {}

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        key = conversation_of(request)
        if is_(request, "POST", "/messages") and json.loads(request.content).get("stream"):
            answer = forward(request)
            events = [line for line in answer.text.splitlines() if '"messageId"' in line]
            if meeting.others(key) and events:
                message = json.loads(events[0].removeprefix("data:"))["messageId"]
                streamed.setdefault(key, []).append(message)
            return answer
        answer = forward(request)
        crossed = streamed.get(key, [])
        if is_(request, "GET", "/messages") and len(crossed) == 2:
            shown = answer.json()
            first, second = (m for m in shown["data"] if m["id"] in crossed)
            first["parts"], second["parts"] = second["parts"], first["parts"]
            return httpx.Response(200, json=shown)
        return answer

    return race


def lost_feedback() -> Race:
    """Store neither of two ratings at the same time, but accept both."""
    meeting = Meeting()

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        if is_(request, "POST", "/feedback") and meeting.others(request.url.path):
            feedback = json.loads(request.content)["feedback"]
            body = json.dumps({"feedback": None}).encode()
            headers = {**request.headers, "content-length": str(len(body))}
            forward(httpx.Request("POST", request.url, headers=headers, content=body))
            time.sleep(RACE)
            return httpx.Response(200, json={"feedback": feedback})
        return forward(request)

    return race


def mixed_up(matches: Callable[[httpx.Request], bool]) -> Race:
    """Answer one of two requests at the same time with the answer to the other."""
    meeting, latest = Meeting(), dict[str, httpx.Response]()

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if matches(request):
            first = latest.setdefault("answer", answer)
            if meeting.others("answer"):
                return first
            latest.pop("answer", None)
        return answer

    return race


def mixed_visitors() -> Race:
    """Answer the reading of one visitor with what another one reads at the same time."""
    return mixed_up(lambda request: is_(request, "GET", "/identity/me"))


def torn_reading() -> Race:
    """Show a conversation closed, but without its time, while it is being closed."""
    meeting = Meeting()

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        key = conversation_of(request)
        if is_(request, "POST", "/close"):
            meeting.others(key)
            return forward(request)
        if key and is_(request, "GET", key) and meeting.others(key):
            shown = {**forward(request).json(), "status": "closed", "closedAt": None}
            return httpx.Response(200, json=shown)
        return forward(request)

    return race


def mixed_answers() -> Race:
    """Send one of two answers at the same time to both visitors."""
    return mixed_up(
        lambda request: (
            is_(request, "POST", "/messages") and bool(json.loads(request.content).get("stream"))
        )
    )


def one_visitor_for_two_devices() -> Race:
    """Answer with the visitor of another device that comes at the same time."""
    return mixed_up(lambda request: is_(request, "POST", "/identity/init"))


def lost_rating() -> Race:
    """Lose one of two ratings in one conversation, which is written back as a whole."""
    meeting, lock = Meeting(), threading.Lock()
    messages: list[str] = []

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        if is_(request, "POST", "/feedback") and meeting.others("feedback"):
            with lock:
                messages.append(request.url.path)
                lost = len(messages) % 2 == 0 and messages[-1] != messages[-2]
            if lost:
                return httpx.Response(200, json=json.loads(request.content))
        return forward(request)

    return race


def stranger_gets_it() -> Race:
    """Start a conversation for the wrong one of two visitors at the same time."""
    meeting, tokens = Meeting(), list[str]()

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        if is_(request, "POST", "/conversations"):
            tokens.append(request.headers["Authorization"])
            if meeting.others("start"):
                request.headers["Authorization"] = tokens[-1]
        return forward(request)

    return race


FAULTS: dict[Callable[[], Race], tuple[str, bool]] = {
    lost_message: ("sendMessage overlap with sendMessage", True),
    doubled_message: ("sendMessage overlap with sendMessage", True),
    two_visitors_of_a_device: ("init overlap with init", True),
    two_times_created: ("init overlap with init", True),
    conflict_as_failure: ("closeConversation overlap with closeConversation", True),
    reopened: ("closeConversation overlap with sendMessage", True),
    one_id_for_two: ("startConversation overlap with startConversation", True),
    uncounted: ("startConversation overlap with startConversation", True),
    half_removed_feedback: ("sendMessageFeedback overlap with sendMessageFeedback", False),
    crosswise_answers: ("sendMessage overlap with sendMessage", False),
    lost_feedback: ("sendMessageFeedback overlap with sendMessageFeedback", True),
    mixed_visitors: ("getMe overlap with getMe", True),
    torn_reading: ("getConversation overlap with closeConversation", False),
    mixed_answers: ("sendMessage overlap with sendMessage", False),
    one_visitor_for_two_devices: ("init overlap with init", True),
    lost_rating: ("sendMessageFeedback overlap with sendMessageFeedback", False),
    stranger_gets_it: ("startConversation overlap with startConversation", False),
}
"""Faulty servers, the violation of each, and whether the first pass finds it."""


@pytest.mark.sweep(6)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_race_is_found(fault: Callable[[], Race], shared: InProcess) -> None:
    """Each race is found, and named with both operations."""
    key, in_first = FAULTS[fault]
    keys = found(shared, fault(), first=in_first)
    assert key in keys, keys


# Correct servers


def direct(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Forward a request."""
    return forward(request)


def refusing_overlap() -> Race:
    """Refuse one of two writes to one conversation with 409."""
    meeting = Meeting()

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        key = conversation_of(request) or request.url.path
        writes = request.method == "POST" and "init" not in key and key.count("/") != 2
        if writes and meeting.others(key):
            error = {"error": {"code": "CONFLICT", "message": "One at a time"}}
            return httpx.Response(409, json=error)
        return forward(request)

    return race


def waiting() -> Race:
    """Carry out one request after the other."""
    lock = threading.Lock()

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        with lock:
            time.sleep(0.002)
            return forward(request)

    return race


def counted_before() -> Race:
    """Count conversations before a start at the same time, and list them after it."""
    meeting = Meeting()

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        token = request.headers.get("Authorization", "")
        listing = is_(request, "GET", "/conversations")
        met = (listing or is_(request, "POST", "/conversations")) and meeting.others(token)
        if not (listing and met):
            return forward(request)
        shown = forward(request).json()
        before, deadline = shown["total"], time.monotonic() + 1
        while shown["total"] == before and time.monotonic() < deadline:
            shown = forward(request).json()
        return httpx.Response(200, json={**shown, "total": before})

    return race


def limiting() -> Race:
    """Refuse some requests with 429."""
    numbers = iter(range(10**6))

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        if next(numbers) % 9 == 8:
            error = {"code": "RATE", "message": "Later", "details": {"retryAfter": 0}}
            return httpx.Response(429, json={"error": error})
        return forward(request)

    return race


def unrated_questions(status: int) -> Race:
    """Hand each conversation to a human agent, and refuse to rate the visitor's own messages."""

    def race(request: httpx.Request, forward: Forward) -> httpx.Response:
        if is_(request, "POST", "/feedback"):
            error = {"code": "REFUSED", "message": "Only answers can be rated"}
            return httpx.Response(status, json={"error": error})
        answer = forward(request)
        if is_(request, "POST", "/conversations"):
            path = f"/_mock/conversations/{answer.json()['id']}/handover"
            taken = forward(httpx.Request("POST", f"http://localhost{path}", json={}))
            assert taken.is_success, taken.text
        return answer

    return race


CORRECT: dict[str, Callable[[], Race]] = {
    "mock": lambda: direct,
    "409": refusing_overlap,
    "one": waiting,
    "count": counted_before,
    "429": limiting,
    "own-403": lambda: unrated_questions(403),
    "own-409": lambda: unrated_questions(409),
}


@pytest.mark.sweep(4)
@pytest.mark.parametrize("first", [False, True], ids=["whole", "first"])
@pytest.mark.parametrize("race", CORRECT.values(), ids=CORRECT)
def test_correct_server_keeps_the_rule(
    race: Callable[[], Race], first: bool, shared: InProcess
) -> None:
    """There is no violation, and each operation was tested."""
    findings = check(shared, race(), first=first)
    assert {} == {key: each.actual for key, each in findings.violations.items()}
    due = {(overlap.RULE, name) for name in RULES[overlap.RULE].operations}
    assert due <= set(findings.tested) | set(findings.prevented)


def test_token_alone_is_enough(shared: InProcess) -> None:
    """Without a key, all but the operations of visitors are tested."""
    findings = check(shared, direct, api_key=None, token=PRIVATE_KEY)
    assert {} == findings.violations
    tested = {name for rule, name in findings.tested if rule == overlap.RULE}
    assert set(RULES[overlap.RULE].operations) - tested == {"init", "getMe"}


def test_pairs_are_those_of_the_description() -> None:
    """Each pair has an operation that writes, and no pair occurs twice."""
    pairs = list(overlap.pairs())
    assert all(operations()[first].method != "GET" for first, _ in pairs)
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)
    assert ("sendMessage", "getMessages") in pairs
    assert ("closeConversation", "sendMessage") in pairs


@pytest.fixture
def reproduction(shared: InProcess) -> tuple[str, str]:
    """Return the commands and the program of a violation of two requests at once."""
    findings = check(shared, conflict_as_failure(), first=True)
    key = "closeConversation overlap with closeConversation"
    return findings.violations[key].commands, findings.violations[key].snippet


def test_reproduction_sends_both_at_once(reproduction: tuple[str, str]) -> None:
    """The commands run in the background, the calls in a pool."""
    commands, program = reproduction
    lines = commands.splitlines()
    assert 2 == sum(line.endswith(" &") for line in lines)
    assert "wait" in lines
    assert "with ThreadPoolExecutor(2) as pool:" in program
    assert 2 == program.count("pool.submit(lambda: ")
    compile(program, "reproduction", "exec")


def test_live_profile_leaves_it_out(shared: InProcess, make_context: MakeContext) -> None:
    """A server in production gets no requests at the same time."""
    shared.fault = None
    shared.requests.clear()
    context = make_context(shared, profile=PROFILES["live"])
    overlap.check_overlap(context)
    assert [] == shared.requests
