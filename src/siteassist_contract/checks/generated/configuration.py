"""Turns a target and a few choices into the files that schemathesis reads.

Credentials go into files that only their owner can read, in a folder that is
gone when the run is over; never into arguments, which every user of a machine
can see.
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

import tomli_w

from siteassist_contract.description import (
    API_KEY,
    SESSION_TOKEN,
    credential_name,
    forms,
    operations,
    properties,
    session_arguments,
    takes_key,
)
from siteassist_contract.http.preflight import Target
from siteassist_spec import Operation, load_spec

Json = dict[str, Any]

CONFIG = "schemathesis.toml"
DESCRIPTION = "openapi.json"
IDENTITIES = "identities.json"
DATABASE = "SITEASSIST_EXAMPLE_DATABASE"
"""The environment variable that tells the engine its example database; it may hold a password."""
EXAMPLE_KEY = "sa_pk_1234567890abcdef"
"""The publishable key in the examples of the description."""
VISITOR = "visitor"
STRANGER = "stranger"


@dataclass(frozen=True)
class Choices:
    """What a user may choose about a run."""

    examples: int
    """How many requests to make up per operation and phase, at most."""
    seed: int
    """Where the random numbers begin; the same seed repeats a run."""
    workers: int = 1
    """In how many threads; more than one, and the seed repeats nothing."""
    database: bool = False
    """Whether the engine opens an example database, which `DATABASE` names."""


def write(folder: Path, target: Target, choices: Choices) -> None:
    """Write all that a run needs into ``folder``."""
    config = tomllib.loads(
        files("siteassist_contract.checks.generated").joinpath("schemathesis.toml").read_text()
    )
    config["base-url"] = target.base_url
    config["seed"] = choices.seed
    config["workers"] = choices.workers
    if choices.database:
        # Left out, it is that of hypothesis's own settings, which the engine sets.
        del config["generation"]["database"]
    config["generation"]["max-examples"] = choices.examples
    entries = identities(target)
    # Pinned: an identity that is refused somewhere is a finding, not a reason
    # to try another one.
    wfc: Json = {"path": str(folder / IDENTITIES), "user": VISITOR}
    if len(entries) > 1:
        wfc["peers"] = [VISITOR, STRANGER]
    config["auth"] = {"wfc": wfc, "auto-signup": False}
    if target.api_key is not None:
        # Most requests carry the key, so that they get past it; some do not.
        config["dictionaries"] = {"keys": {"values": [target.api_key]}}
        binding = {"dictionary": "keys", "probability": 0.9}
        name = credential_name(API_KEY)
        config["parameters"] = {f"query.{name}": binding, f"body.{name}": binding}
    config["operations"] = [
        {
            "include-operation-id": [name],
            "checks": {
                "positive_data_acceptance": {
                    "expected-statuses": list(expected_statuses(operation)),
                }
            },
        }
        for name, operation in operations().items()
    ]
    _write_private(folder / IDENTITIES, json.dumps({"auth": entries}))
    _write_private(folder / CONFIG, tomli_w.dumps(config))
    _write_private(folder / DESCRIPTION, json.dumps(description(target.api_key)))


def expected_statuses(operation: Operation) -> Iterator[str]:
    """Yield what a generated request that fits the description may get.

    401 is left out where no key is sent: the other credentials are known to be good
    before the tests start.
    """
    yield from ("2xx", "402", "429", "5xx")
    if takes_key(operation):
        # Keys that do not exist.
        yield "401"
    in_body = any(
        form.get("format") == "uuid"
        for schema in properties(operation).values()
        for form in forms(schema)
    )
    if takes_key(operation) or operation.places("path") or in_body:
        # Objects that do not exist, or belong to somebody else: docs/evidence.md, O-1.
        yield from ("403", "404")
    if operation.operation_id == "sendMessage":
        # Conversations that are closed: docs/evidence.md, O-3.
        yield "409"


def description(api_key: str | None) -> Json:
    """Return the description, with ``api_key`` in place of the key of its examples."""
    text = json.dumps(load_spec())
    if api_key is not None:
        text = text.replace(json.dumps(EXAMPLE_KEY), json.dumps(api_key))
    document: Json = json.loads(text)
    return document


def identities(target: Target) -> list[Json]:
    """Describe the visitors of a run as Web Fuzzing Commons authentication entries.

    A second one, who must not see what is the first one's, takes an API key.
    """
    sessions = [] if target.api_key is None else [_session(target, d) for d in target.devices]
    if target.token is not None:
        header = {"name": "Authorization", "value": f"Bearer {target.token}"}
        sessions = [{"fixedHeaders": [header]}, *sessions[1:]]
    names = (VISITOR, STRANGER)
    return [{"name": name, **entry} for name, entry in zip(names, sessions, strict=False)]


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
