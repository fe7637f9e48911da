"""Each mutant is a fault, and the mock without it is not."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults import auth, errors, lists, shape, state, status, stream, validation
from tests.faults.catalogue import MUTANTS, chosen
from tests.faults.faulty import Server, operations, spec
from tests.faults.in_process import in_process
from tests.faults.mutant import CLASSES, Mutant, Probe
from tests.faults.probing import Api
from tests.faults.variants import VARIANTS
from tests.values import ROOT

EVIDENCE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
ENTRY = re.compile(r"\b(?:[CRO]-\d+|F-[a-z]+|P[1-5])\b")
FIELDS = re.compile(r'"([a-z]\w+)":')
MODULES = (shape, status, validation, auth, state, lists, stream, errors)


@pytest.fixture(scope="module")
def passes() -> Iterator[Callable[[Probe], None]]:
    """Probe a mock without a fault, but with all that a fault is put into; each probe once."""
    passed: set[Probe] = set()
    with in_process(Server().app()) as http:

        def probed(probe: Probe) -> None:
            if probe not in passed:
                probe(Api(http))
                passed.add(probe)

        yield probed


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_mutant_is_told_from_the_mock(mutant: Mutant, passes: Callable[[Probe], None]) -> None:
    """Plain requests find the fault, and find none in the mock."""
    passes(mutant.probe)
    with in_process(mutant.app()) as http, pytest.raises(AssertionError):
        mutant.probe(Api(http))


def test_catalogue_is_large_enough() -> None:
    """A rate of kills says something: there are many of each class, and rare ones."""
    by_class = Counter(mutant.kind for mutant in MUTANTS.values())
    assert set(CLASSES) == set(by_class)
    assert min(by_class.values()) >= 12
    assert len(MUTANTS) >= 120
    assert sum(mutant.rare for mutant in MUTANTS.values()) >= 20


def test_no_id_is_there_twice() -> None:
    """None hides another, and all can be typed."""
    names = [mutant.id for module in MODULES for mutant in module.FAULTS.mutants]
    assert {} == {name: number for name, number in Counter(names).items() if number > 1}
    every = [*names, *VARIANTS]
    assert [] == [name for name in every if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)]


def test_every_sentence_is_one() -> None:
    """The lists say in a sentence each what a server does, and no two say the same."""
    said = [mutant.says for mutant in MUTANTS.values()] + [it.says for it in VARIANTS.values()]
    assert [] == [says for says in said if not says.endswith(".")]
    # The names of operations and of fields are written as they are.
    named = {*operations()} | set(FIELDS.findall(json.dumps(spec()["components"]["schemas"])))
    assert {says.split()[0] for says in said if not says[0].isupper()} <= named
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("evidence", sorted({it.evidence for it in MUTANTS.values()}))
def test_evidence_of_a_mutant_is_in_the_documents(evidence: str) -> None:
    """What a fault breaks is an entry of docs/evidence.md, or a place in openapi.yaml."""
    assert named_in(evidence)


@pytest.mark.parametrize("evidence", sorted({it.evidence for it in VARIANTS.values()}))
def test_evidence_of_a_variant_is_in_the_documents(evidence: str) -> None:
    """What leaves a difference open can be looked up, there or in a standard."""
    assert named_in(evidence) or "RFC" in evidence or "openapi.yaml" in evidence


def named_in(evidence: str) -> list[str]:
    """Return the entries and the places that ``evidence`` names, all of which must be there."""
    entries = ENTRY.findall(evidence)
    assert [] == [name for name in entries if not is_entry(name)]
    places = [place for place in re.findall(r"\w+(?:\.\w+)*", evidence) if is_component(place)]
    for place in places:
        look_up(place)
    return [*entries, *places, *({*operations()} & set(re.findall(r"\w+", evidence)))]


def is_entry(name: str) -> bool:
    """Return whether docs/evidence.md has an entry of this name."""
    return f"| {name} |" in EVIDENCE or f"### {name} " in EVIDENCE


def is_component(place: str) -> bool:
    """Return whether ``place`` begins with the name of a component."""
    return any(place.partition(".")[0] in kind for kind in spec()["components"].values())


def look_up(place: str) -> None:
    """Find ``place`` in openapi.yaml; raises `KeyError` if it is not there."""
    name, *steps = place.split(".")
    # Some schemas and parameters have the same name.
    nodes = [kind[name] for kind in spec()["components"].values() if name in kind]
    for step in steps:
        nodes = [inner[step] for node in nodes for inner in insides(node) if step in inner]
    if not nodes:
        raise KeyError(place)


def insides(node: Any) -> list[Any]:
    """Return ``node``, and if it is a parameter its schema."""
    return [node, node["schema"]] if "schema" in node else [node]


def test_choosing_by_name_and_class() -> None:
    """Patterns and classes narrow the choice down together."""
    assert ["done-twice"] == [mutant.id for mutant in chosen(["done-twice"], [])]
    both = chosen(["*-foreign", "no-*"], ["auth"])
    assert {"auth"} == {mutant.kind for mutant in both}
    assert {"read-foreign", "no-token-me"} <= {mutant.id for mutant in both}
    assert list(MUTANTS.values()) == chosen([], [])
    with pytest.raises(LookupError, match="no mutant is called zzz-"):
        chosen(["done-twice", "zzz-*"], [])


@pytest.mark.parametrize(
    "place",
    [
        lambda server: server.schema("Message.properties.nothing"),
        lambda server: server.parameter("getMessages", "nothing"),
        lambda server: server.before("nothing", lambda _: None),
        lambda server: server.handler("nothing", lambda call, handler: handler(call)),
        lambda server: (server.records("nothing", lambda *_: None), server.app()),
    ],
    ids=["schema", "parameter", "operation", "handler", "records"],
)
def test_place_that_is_not_there(place: object) -> None:
    """A fault that does not apply any more is an error, not a mock without a fault."""
    assert callable(place)
    with pytest.raises((KeyError, AttributeError)):
        place(Server())
