"""The visitor's side of a support desk in the terminal: type a question, read the answers.

The assistant answers until a human agent takes the conversation over. Then the agent's
messages appear as they are written, also after the connection broke. Needs
`pip install 'siteassist[live]'`, SITEASSIST_API_KEY and, for a server of your own,
SITEASSIST_BASE_URL.
"""

import sys
import threading

from siteassist import (
    Listener,
    SiteAssist,
    SiteAssistError,
    SocketHumanAssigned,
    SocketNewMessage,
)


def show(events: Listener) -> None:
    """Print what happens in the conversation, until the listener is closed."""
    try:
        for event in events:
            match event:
                case SocketHumanAssigned():
                    print("A human agent has taken over.", flush=True)
                case SocketNewMessage(message=message):
                    name = message.human_agent.name if message.human_agent else None
                    late = " (missed meanwhile)" if event.caught_up else ""
                    print(f"{name or 'agent'}{late}: {message.text}", flush=True)
    except SiteAssistError as error:
        print(f"no longer listening: {error}", file=sys.stderr)


def main() -> None:
    """Send each line of the terminal as a message."""
    with SiteAssist() as client:
        conversation = client.start_conversation()
        print(f"conversation {conversation.id}", flush=True)
        with client.listen(conversation.id) as events:
            listening = threading.Thread(target=show, args=(events,))
            listening.start()
            for line in map(str.strip, sys.stdin):
                if line:
                    answer = client.send_message(conversation.id, content=line)
                    words = "sent" if answer.queued else f"assistant: {answer.text}"
                    print(words, flush=True)
        listening.join()


if __name__ == "__main__":
    try:
        main()
    except SiteAssistError as error:
        raise SystemExit(str(error)) from None
