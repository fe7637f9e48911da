"""The agent's side of a support desk in the terminal: take a conversation over and answer.

    python agent.py CONVERSATION [NAME]

An agent of the service works in its console; this program does the same in the mock,
at SITEASSIST_BASE_URL.
"""

import os
import sys
import threading
from urllib.parse import quote

import httpx


class Conversation:
    """A conversation of the mock, as its operator sees it."""

    def __init__(self, http: httpx.Client, conversation_id: str) -> None:
        """Address the conversation."""
        url = os.environ.get("SITEASSIST_BASE_URL", "http://127.0.0.1:8787/v2")
        place = f"/_mock/conversations/{quote(conversation_id, safe='')}"
        self._address = url.removesuffix("/v2") + place
        self._http = http
        self._shown: set[str] = set()

    def take_over(self, name: str) -> None:
        """Become the agent who handles the conversation."""
        self._http.post(f"{self._address}/handover", json={"name": name}).raise_for_status()

    def say(self, text: str) -> None:
        """Send a message to the visitor."""
        answer = self._http.post(f"{self._address}/agent-messages", json={"content": text})
        answer.raise_for_status()

    def show_new(self) -> None:
        """Print what the visitor has written since the last time."""
        for message in self._http.get(self._address).raise_for_status().json()["messages"]:
            if message["role"] == "user" and message["id"] not in self._shown:
                self._shown.add(message["id"])
                text = "".join(part.get("text", "") for part in message["parts"])
                print(f"visitor: {text}", flush=True)


def main() -> None:
    """Send each line of the terminal as a message of the agent."""
    if len(sys.argv) not in {2, 3}:
        raise SystemExit("usage: python agent.py CONVERSATION [NAME]")
    with httpx.Client() as http:
        conversation = Conversation(http, sys.argv[1])
        conversation.take_over(sys.argv[2] if len(sys.argv) > 2 else "Sam")
        conversation.show_new()
        talk(conversation)


def talk(conversation: Conversation) -> None:
    """Send each line, and show what the visitor writes meanwhile."""
    left = threading.Event()

    def watch() -> None:
        while not left.wait(1):
            conversation.show_new()

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        for line in map(str.strip, sys.stdin):
            if line:
                conversation.say(line)
    finally:
        left.set()
        watching.join()


if __name__ == "__main__":
    main()
