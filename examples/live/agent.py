"""The agent's side of a support desk in the terminal: take a conversation over and answer.

An agent of the service works in its console; this program does the same in the mock,
at SITEASSIST_BASE_URL.
"""

import argparse
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("conversation", help="the id that the visitor's program prints")
    parser.add_argument("name", nargs="?", default="Sam", help="the name of the agent")
    given = parser.parse_args()
    try:
        with httpx.Client() as http:
            conversation = Conversation(http, given.conversation)
            conversation.take_over(given.name)
            conversation.show_new()
            talk(conversation)
    except httpx.HTTPError as error:
        raise SystemExit(f"The mock refuses or does not answer: {error}") from None


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
