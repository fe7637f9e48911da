"""Code samples for every operation, generated from the examples in ``openapi.yaml``.

No sample is written by hand: the arguments and the body come from the examples, and the Python
name comes from the ``operationId``. The writers accept any `HttpRequest`, so that reports can
use them as well.
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
    """A program. ``lang`` selects the syntax highlighting, ``label`` is shown to the reader."""

    lang: str
    label: str
    source: str


def code_samples(
    document: Document, *, base_url: str | None = None, token: str | None = None
) -> dict[str, list[Sample]]:
    """Return the samples of each operation: Python, curl and TypeScript.

    If an operation can stream its response, the samples for the stream follow.

    ``base_url`` is the URL that the samples use; it defaults to the first of ``servers``.
    ``token`` is the bearer token of operations that need one; it defaults to the token in
    the example of a session.

    Raises `LookupError` if a required parameter, a required body or a session has no
    example, and `SpecError` for a malformed description.
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
        # The page has no syntax highlighting for TypeScript.
        Sample("JavaScript", f"TypeScript{suffix}", typescript.program(request)),
    ]
