"""The time until a program has made its first call, as a ratio over `import httpx`."""

from __future__ import annotations

import os
import sys

from .results import Row, show_progress
from .samples import ANSWER, ANTHROPIC_ANSWER, CONVERSATION, OPENAI_ANSWER

REPETITIONS = 40
PEER_REPETITIONS = 5

IMPORT = "import / import httpx"
READY = "client ready / import httpx"
FIRST = "first call done / first call of httpx"

NOTHING = "pass"
HTTPX = "import httpx"
# Each program runs in a separate process, and therefore creates its transport itself.
HTTPX_CALL = f"""
import httpx
transport = httpx.MockTransport(lambda request: httpx.Response(200, content={ANSWER!r}))
with httpx.Client(transport=transport) as client:
    client.post("https://example.com/", json={{"content": "Hi"}}).json()
"""
OURS = {
    (IMPORT, "siteassist"): "import siteassist",
    (READY, "siteassist"): "from siteassist import SiteAssist; SiteAssist(token='x')",
    (READY, "siteassist, async"): (
        "from siteassist import AsyncSiteAssist; AsyncSiteAssist(token='x')"
    ),
    (FIRST, "siteassist"): f"""
import httpx
from siteassist import SiteAssist
transport = httpx.MockTransport(lambda request: httpx.Response(200, content={ANSWER!r}))
with SiteAssist(token="x", transport=transport) as client:
    client.send_message({CONVERSATION!r}, content="Hi")
""",
}
# The plain generated client is the low-level layer of this package, the unmodified output
# of the generator. It has no row for the import, because it is in the same package as the
# client and has the same `import siteassist`.
PEERS = {
    (IMPORT, "openai"): "import openai",
    (IMPORT, "anthropic"): "import anthropic",
    (READY, "openai"): "import openai; openai.OpenAI(api_key='x')",
    (READY, "anthropic"): "import anthropic; anthropic.Anthropic(api_key='x')",
    (READY, "plain generated"): """
from siteassist import AuthenticatedClient
from siteassist.api.messages import send_message
AuthenticatedClient("https://example.com/", token="x")
""",
    (FIRST, "openai"): f"""
import httpx2, openai
transport = httpx2.MockTransport(
    lambda request: httpx2.Response(
        200, content={OPENAI_ANSWER!r}, headers={{"content-type": "application/json"}}
    )
)
with openai.OpenAI(api_key="x", http_client=httpx2.Client(transport=transport)) as client:
    client.chat.completions.create(model="m", messages=[{{"role": "user", "content": "Hi"}}])
""",
    (FIRST, "anthropic"): f"""
import httpx2, anthropic
transport = httpx2.MockTransport(
    lambda request: httpx2.Response(
        200, content={ANTHROPIC_ANSWER!r}, headers={{"content-type": "application/json"}}
    )
)
with anthropic.Anthropic(api_key="x", http_client=httpx2.Client(transport=transport)) as client:
    client.messages.create(
        model="m", max_tokens=9, messages=[{{"role": "user", "content": "Hi"}}]
    )
""",
    (FIRST, "plain generated"): f"""
import httpx
from siteassist import AuthenticatedClient
from siteassist.api.messages import send_message
from siteassist.models import SendMessageRequest
transport = httpx.MockTransport(lambda request: httpx.Response(200, content={ANSWER!r}))
more = {{"transport": transport}}
with AuthenticatedClient("https://example.com/", token="x", httpx_args=more) as client:
    send_message.sync({CONVERSATION!r}, client=client, body=SendMessageRequest("Hi"))
""",
}
BASELINES = {IMPORT: HTTPX, READY: HTTPX, FIRST: HTTPX_CALL}
GOALS = {
    (IMPORT, "siteassist"): 0.2,
    (READY, "siteassist"): 1.25,
    (READY, "siteassist, async"): 1.25,
}


def measure() -> list[Row]:
    """Return the ratio of each program."""
    rows = _ratios("siteassist", OURS, REPETITIONS) + _ratios("peers", PEERS, PEER_REPETITIONS)
    return sorted(rows, key=lambda row: (IMPORT, READY, FIRST).index(row.what))


def _ratios(group: str, programs: dict[tuple[str, str], str], repetitions: int) -> list[Row]:
    """Return the ratios of a group of programs, which take turns with their baselines."""
    show_progress(f"imports: {group}, {len(programs)} programs, {repetitions} repetitions each")
    best = _cheapest([NOTHING, HTTPX, HTTPX_CALL, *programs.values()], repetitions)
    net = {program: took - best[NOTHING] for program, took in best.items()}
    return [
        Row(what, subject, net[program] / net[BASELINES[what]], GOALS.get((what, subject)))
        for (what, subject), program in programs.items()
    ]


def _cheapest(programs: list[str], repetitions: int) -> dict[str, float]:
    """Return the lowest processor time of each program; every run is a separate process."""
    best = dict.fromkeys(programs, float("inf"))
    # The first turn is not counted, because it compiles modules to bytecode.
    for counted in range(repetitions + 1):
        for program in programs:
            took = _run(program)
            if counted:
                best[program] = min(best[program], took)
    return best


def _run(program: str) -> float:
    """Run a program and return its processor time, including system time."""
    # Isolated, so that the current folder is not searched for modules.
    command = [sys.executable, "-I", "-c", program]
    _, status, usage = os.wait4(os.posix_spawn(sys.executable, command, os.environ), 0)
    if status:
        raise RuntimeError(f"a program failed with wait status {status}:\n{program}")
    return usage.ru_utime + usage.ru_stime
