"""One valid request per operation: what probes change one thing of."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from siteassist_contract import description


@dataclass
class Plain:
    """A request in parts that can be changed one by one."""

    operation: str
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    costs: bool = False
    """Whether a server that accepts it has an answer made up, which costs somebody money."""

    @property
    def method(self) -> str:
        """Return the method."""
        return description.operations()[self.operation].method

    @property
    def target(self) -> str:
        """Return the path with its parameters filled in."""
        path = description.operations()[self.operation].path
        for name, value in self.path.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        return path

    def changed(
        self,
        *,
        path: dict[str, str] | None = None,
        query: dict[str, str | None] | None = None,
        body: Any = ...,
    ) -> Plain:
        """Return a copy with other values; a query parameter that is ``None`` is left out."""
        other = copy.deepcopy(self)
        other.path |= path or {}
        for name, value in (query or {}).items():
            if value is None:
                other.query.pop(name, None)
            else:
                other.query[name] = value
        if body is not ...:
            other.body = body
        return other


@dataclass(frozen=True)
class Things:
    """What there is for requests to be about."""

    conversation: str
    message: str
    project: str = ""
    qna: str = ""
    api_key: str = ""


def valid_requests(things: Things) -> dict[str, Plain]:
    """Return one valid request for every operation that ``things`` allow one of."""

    def conversation() -> dict[str, str]:
        return {"conversationId": things.conversation}

    found = [
        Plain("getMe"),
        Plain("getConversations"),
        Plain("startConversation"),
        Plain("getConversation", conversation()),
        Plain("getMessages", conversation()),
        Plain("sendMessage", conversation(), body={"content": "Hello"}, costs=True),
        Plain(
            "createChatCompletion",
            body={"messages": [{"role": "user", "content": "Hello"}]},
            costs=True,
        ),
    ]
    if things.message:
        path = {"messageId": things.message}
        found.append(Plain("sendMessageFeedback", path, body={"feedback": "like"}))
    if things.api_key:
        key = {"apiKey": things.api_key}
        found += [
            Plain("getProject", query=key),
            Plain("search", query={"q": "shipping", **key}),
            Plain("init", body={"saVid": "siteassist-contract", **key}),
        ]
    if things.project:
        found.append(Plain("getQnas", {"projectId": things.project}))
    if things.qna:
        found.append(Plain("getQna", {"projectId": things.project, "qnaId": things.qna}))
    found.append(Plain("closeConversation", conversation()))
    return {plain.operation: plain for plain in found}
