"""A conversation whose answers are printed while they arrive, or as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import click

from siteassist import SiteAssist, SiteAssistError, Unset
from siteassist_runtime.texts import printable

QUEUED = "A human agent handles this conversation. Your message is queued for the agent."
ABORTED = "The service ended this answer early."
_LAYOUT = re.compile(r"([\n\t])")


def shown(text: str) -> str:
    """Return ``text`` with escapes for control characters other than line breaks and tabs."""
    pieces = _LAYOUT.split(text)
    return "".join(each if _LAYOUT.fullmatch(each) else printable(each) for each in pieces)


def note(text: str, **style: Any) -> None:
    """Print a remark, which is not part of an answer, to standard error."""
    click.secho(printable(text), err=True, **(style or {"dim": True}))


@dataclass(frozen=True)
class Chat:
    """One conversation of a visitor."""

    client: SiteAssist
    conversation: str
    """The id of the conversation."""
    as_json: bool = False
    """Whether each answer is printed as a JSON object on one line."""

    def ask(self, question: str) -> bool:
        """Send a message, and print the answer.

        Return False if the service ended the answer early. Raises `SiteAssistError` if the
        service refuses the message or the answer fails. The part that has arrived is printed.
        """
        if self.as_json:
            return self._ask_for_json(question)
        return self._ask_for_text(question)

    def _ask_for_text(self, question: str) -> bool:
        last = "\n"
        with self.client.send_message_stream(self.conversation, content=question) as stream:
            try:
                for piece in stream.text_deltas():
                    click.echo(shown(piece), nl=False)
                    last = piece[-1:] or last
            finally:
                if last != "\n":
                    click.echo()
        if stream.queued is not None:
            note(QUEUED)
        elif stream.aborted:
            note(ABORTED)
        return not stream.aborted

    def _ask_for_json(self, question: str) -> bool:
        stream = self.client.send_message_stream(self.conversation, content=question)
        failure: SiteAssistError | None = None
        try:
            with stream:
                stream.until_done()
        except SiteAssistError as error:
            failure = error
        usage = stream.usage
        click.echo(
            json.dumps(
                {
                    "conversation": self.conversation,
                    "device": self.client.device_id,
                    "message": stream.message_id,
                    "text": stream.text,
                    "complete": stream.done,
                    "queued": stream.queued is not None,
                    "finishReason": stream.finish_reason,
                    "usage": None if usage is None or isinstance(usage, Unset) else usage.to_dict(),
                    "error": None if failure is None else str(failure),
                }
            )
        )
        if failure is not None:
            raise failure
        return not stream.aborted
