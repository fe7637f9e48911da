"""The files that schemathesis reads, written from a target and the options of a run.

Credentials are written to files that only their owner can read, in a folder that is
deleted after the run. They are never arguments, which every user of a machine can see.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tomli_w

from siteassist_contract.description import (
    API_KEY,
    SESSION_TOKEN,
    credential_name,
    document,
    forms,
    operations,
    properties,
    session_arguments,
    takes_key,
)
from siteassist_contract.http.network import proxy_for
from siteassist_contract.http.preflight import Target
from siteassist_spec import Operation
from siteassist_spec.transform import rest_only

Json = dict[str, Any]

CONFIG = "schemathesis.toml"
DESCRIPTION = "openapi.json"
IDENTITIES = "identities.json"
NETWORK = "network.json"
DATABASE = "SITEASSIST_EXAMPLE_DATABASE"
"""The environment variable with the address of the example database, perhaps with a password."""
EXAMPLE_KEY = "sa_pk_1234567890abcdef"
"""The publishable key in the examples of the description."""
VISITOR = "visitor"
STRANGER = "stranger"


@dataclass(frozen=True)
class Choices:
    """The options of a run of schemathesis."""

    examples: int
    """Maximum number of generated requests per operation and phase."""
    seed: int
    """Seed of the random numbers; the same seed repeats a run."""
    workers: int = 1
    """Number of threads; with more than one, runs are not reproducible."""
    database: bool = False
    """Whether the engine opens the example database that `DATABASE` names."""
    operations: frozenset[str] | None = None
    """The operations to request; None for all."""
    answers: int | None = None
    """Maximum number of answers of the assistant; None for any number."""


def write(folder: Path, target: Target, choices: Choices) -> None:
    """Write the files of a run to ``folder``."""
    config = tomllib.loads(
        files("siteassist_contract.checks.generated").joinpath("schemathesis.toml").read_text()
    )
    config["base-url"] = target.base_url
    config["seed"] = choices.seed
    config["workers"] = choices.workers
    if choices.database:
        # Without this key, schemathesis uses hypothesis's own settings, which the engine sets.
        del config["generation"]["database"]
    config["generation"]["max-examples"] = choices.examples
    entries = identities(target)
    # The user is pinned: a refused identity is a finding, not a reason to try another one.
    wfc: Json = {"path": str(folder / IDENTITIES), "user": VISITOR}
    if len(entries) > 1:
        wfc["peers"] = [VISITOR, STRANGER]
    config["auth"] = {"wfc": wfc, "auto-signup": False}
    if target.api_key is not None:
        # Most requests have the valid key, so that they pass its check; some have another one.
        config["dictionaries"] = {"keys": {"values": [target.api_key]}}
        binding = {"dictionary": "keys", "probability": 0.9}
        name = credential_name(API_KEY)
        config["parameters"] = {f"query.{name}": binding, f"body.{name}": binding}
    if choices.operations is not None and choices.operations != set(operations()):
        # Sequences of requests need the other operations.
        config["phases"]["stateful"]["enabled"] = False
    config["operations"] = [
        {
            "include-operation-id": [name],
            "enabled": choices.operations is None or name in choices.operations,
            "checks": {
                "positive_data_acceptance": {
                    "expected-statuses": list(expected_statuses(operation)),
                }
            },
        }
        for name, operation in operations().items()
    ]
    _write_private(folder / NETWORK, json.dumps({**way(target), "answers": choices.answers}))
    _write_private(folder / IDENTITIES, json.dumps({"auth": entries}))
    _write_private(folder / CONFIG, tomli_w.dumps(config))
    _write_private(folder / DESCRIPTION, json.dumps(description(target.api_key)))


def expected_statuses(operation: Operation) -> Iterator[str]:
    """Yield the statuses that the answer to a valid generated request may have.

    401 is left out for operations without a key: the other credentials are verified before
    the tests start.
    """
    yield from ("2xx", "402", "429", "5xx")
    if takes_key(operation):
        # A generated key does not exist.
        yield "401"
    in_body = any(
        form.get("format") == "uuid"
        for schema in properties(operation).values()
        for form in forms(schema)
    )
    if takes_key(operation) or operation.places("path") or in_body:
        # A generated id is unknown, or that of another visitor's object: docs/evidence.md, O-1.
        yield from ("403", "404")
    if operation.operation_id == "sendMessage":
        # The conversation may be closed: docs/evidence.md, O-3.
        yield "409"


def description(api_key: str | None) -> Json:
    """Return the description, with ``api_key`` in place of the key in its examples."""
    text = json.dumps(rest_only(document()))
    if api_key is not None:
        text = text.replace(json.dumps(EXAMPLE_KEY), json.dumps(api_key))
    described: Json = json.loads(text)
    return described


def way(target: Target) -> Json:
    """Return the way to the server, in the terms of requests, for `adapter.install`."""
    network, proxy = target.network, proxy_for(target.base_url)
    return {
        "base_path": urlsplit(target.base_url).path,
        "headers": dict(network.headers),
        "verify": False if network.insecure else network.trusted or True,
        "proxies": {} if proxy is None else dict.fromkeys(("http", "https"), proxy),
    }


def identities(target: Target) -> list[Json]:
    """Describe the visitors of a run as Web Fuzzing Commons authentication entries.

    A second visitor, who must not access the data of the first one, requires an API key or a
    second token.
    """
    sessions = [] if target.api_key is None else [_session(target, d) for d in target.devices]
    if target.token is not None:
        sessions = [_token(target.token), *sessions[1:]]
    if target.second_token is not None:
        sessions = [*sessions[:1], _token(target.second_token)]
    names = (VISITOR, STRANGER)
    return [{"name": name, **entry} for name, entry in zip(names, sessions, strict=False)]


def _token(token: str) -> Json:
    return {"fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]}


def _session(target: Target, device: str) -> Json:
    return {
        "loginEndpointAuth": {
            "verb": "POST",
            "externalEndpointURL": f"{target.base_url}{operations()['init'].path}",
            "contentType": "application/json",
            "payloadRaw": json.dumps(session_arguments(str(target.api_key), device)),
            "token": {
                "extractFrom": "body",
                "extractSelector": f"/{credential_name(SESSION_TOKEN)}",
                "sendIn": "header",
                "sendName": "Authorization",
                "sendTemplate": "Bearer {token}",
            },
        }
    }


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
