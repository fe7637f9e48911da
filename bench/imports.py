"""How long a program waits before it can make its first call, over `import httpx`."""

from __future__ import annotations

import os
import sys

from .results import Row, tell
from .samples import ANSWER, ANTHROPIC_ANSWER, CONVERSATION, OPENAI_ANSWER

REPETITIONS = 15
PEER_REPETITIONS = 5

IMPORT = "import / import httpx"
READY = "client ready / import httpx"
FIRST = "first call done / httpx's own"

NOTHING = "pass"
HTTPX = "import httpx"
# The transports are part of the programs: a process of its own shares nothing.
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
# The plain generated client is our own low-level layer, which is the generator's
# output as it stands. It has no row for the import: it shares a package with the
# client, and so its `import siteassist` is ours.
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
FLOORS = {IMPORT: HTTPX, READY: HTTPX, FIRST: HTTPX_CALL}
GOALS = {(IMPORT, "siteassist"): 0.2, (READY, "siteassist"): 1.25}


def measure() -> list[Row]:
    """Return what each program costs."""
    rows = _ratios("ours", OURS, REPETITIONS) + _ratios("peers", PEERS, PEER_REPETITIONS)
    return sorted(rows, key=lambda row: (IMPORT, READY, FIRST).index(row.what))


def _ratios(whose: str, programs: dict[tuple[str, str], str], repetitions: int) -> list[Row]:
    """Return the ratios of some programs, their floors taking turns with them."""
    tell(f"imports: {whose}, {len(programs)} programs in {repetitions} turns")
    best = _cheapest([NOTHING, HTTPX, HTTPX_CALL, *programs.values()], repetitions)
    beyond = {program: took - best[NOTHING] for program, took in best.items()}
    return [
        Row(what, who, beyond[program] / beyond[FLOORS[what]], GOALS.get((what, who)))
        for (what, who), program in programs.items()
    ]


def _cheapest(programs: list[str], repetitions: int) -> dict[str, float]:
    """Return the least processor time of each program, in a process of its own each time."""
    best = dict.fromkeys(programs, float("inf"))
    # The first turn is not counted: it compiles what is not compiled yet.
    for counted in range(repetitions + 1):
        for program in programs:
            took = _run(program)
            if counted:
                best[program] = min(best[program], took)
    return best


def _run(program: str) -> float:
    """Run a program and return the processor time that it took, the system's included."""
    # Isolated, so that the installed packages are found and those of this folder are not.
    command = [sys.executable, "-I", "-c", program]
    _, status, usage = os.wait4(os.posix_spawn(sys.executable, command, os.environ), 0)
    if status:
        msg = f"this program failed:\n{program}"
        raise RuntimeError(msg)
    return usage.ru_utime + usage.ru_stime
