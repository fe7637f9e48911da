"""Code samples for every operation, each made from the examples in ``openapi.yaml``.

Nothing is written by hand for an operation: its arguments and its body are those of the
examples, its Python name follows from its ``operationId``. The writers express any `HttpRequest`,
so that reports can use them as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from siteassist_spec.document import Document
from siteassist_spec.operations import read_operations, server_url
from siteassist_spec.samples import curl, python, typescript
from siteassist_spec.samples.request import HttpRequest, Request, example_token, requests

__all__ = ["HttpRequest", "Sample", "code_samples"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One program; ``lang`` is for the colours, ``label`` for the reader."""

    lang: str
    label: str
    source: str


def code_samples(
    document: Document, *, base_url: str | None = None, token: str | None = None
) -> dict[str, list[Sample]]:
    """Return the samples of each operation: Python, curl and TypeScript, then its streams.

    ``base_url`` is where the samples send their requests, by default the first of
    ``servers``; ``token`` is the bearer of operations that need one, by default that of
    the example of a session.

    Raises `LookupError` if a required parameter or a required body has no example, or if
    there is none of a session, and `SpecError` for a malformed description.
    """
    operations = read_operations(document)
    default_url = server_url(document)
    bearer = token or example_token(operations.values())
    return {
        name: [
            sample
            for request in requests(operation, base_url or default_url, bearer)
            for sample in _samples(request, named_url=base_url not in {None, default_url})
        ]
        for name, operation in operations.items()
    }


def _samples(request: Request, *, named_url: bool) -> list[Sample]:
    suffix = " stream" if request.streams else ""
    return [
        Sample("Python", f"Python{suffix}", python.program(request, named_url=named_url)),
        Sample("Shell", f"curl{suffix}", curl.program(request)),
        # The colours of TypeScript are not among those that the page knows.
        Sample("JavaScript", f"TypeScript{suffix}", typescript.program(request)),
    ]
