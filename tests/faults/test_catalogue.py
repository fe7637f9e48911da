"""Each mutant has its fault, is described in full, and rests on the documents."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.catalogue import MODULES, MUTANTS, UNASKED, chosen
from tests.faults.faulty import Server, operations, spec
from tests.faults.mutant import CLASSES, Mutant, Probe
from tests.faults.probing import calling
from tests.faults.variants import VARIANTS
from tests.values import ROOT

EVIDENCE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
ENTRY = re.compile(r"\b(?:[CRO]-\d+|F-[a-z]+|P[1-5])\b")
FIELDS = re.compile(r'"([a-z]\w+)":')


@pytest.fixture(scope="module")
def passes() -> Iterator[Callable[[Mutant], None]]:
    """Run a probe on a mock without a fault but with all hooks, once per probe."""
    passed: set[Probe] = set()
    with (
        calling(Server().app(), socket=False) as here,
        calling(Server().app(), socket=True) as there,
    ):

        def probed(mutant: Mutant) -> None:
            if mutant.probe not in passed:
                mutant.probe(there if mutant.socket else here)
                passed.add(mutant.probe)

        yield probed


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_probe_distinguishes_mutant_from_mock(
    mutant: Mutant, passes: Callable[[Mutant], None]
) -> None:
    """The probe passes on the mock, and fails on the mutant."""
    passes(mutant)
    with calling(mutant.app(), socket=mutant.socket) as api, pytest.raises(AssertionError):
        mutant.probe(api)


def test_catalogue_is_large_enough() -> None:
    """There are enough mutants of each class, and enough rare ones, for a meaningful kill rate."""
    by_class = Counter(mutant.kind for mutant in MUTANTS.values())
    assert set(CLASSES) == set(by_class)
    assert min(by_class.values()) >= 12
    assert len(MUTANTS) >= 120
    assert sum(mutant.rare for mutant in MUTANTS.values()) >= 20


def test_ids_are_unique_and_plain() -> None:
    """No id is duplicated, and each consists of lower-case words and hyphens."""
    names = [mutant.id for module in MODULES for mutant in module.FAULTS.mutants]
    assert {} == {name: number for name, number in Counter(names).items() if number > 1}
    every = [*names, *VARIANTS]
    assert [] == [name for name in every if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)]


def test_reasons_are_those_of_mutants() -> None:
    """Each reason for which a mutant is not found names a mutant, and is a sentence."""
    assert {*UNASKED} <= {*MUTANTS}
    assert [] == [text for text in UNASKED.values() if not re.fullmatch(r"[A-Z].*\.", text)]
    entries = [name for text in UNASKED.values() for name in ENTRY.findall(text)]
    assert [] == [name for name in entries if not is_entry(name)]


def test_descriptions_are_distinct_sentences() -> None:
    """Each mutant and variant is described by one sentence, and no two sentences are equal."""
    sentences = [mutant.description for mutant in MUTANTS.values()]
    sentences += [variant.description for variant in VARIANTS.values()]
    assert [] == [sentence for sentence in sentences if not sentence.endswith(".")]
    # A sentence may begin with the name of an operation or of a field.
    named = {*operations()} | set(FIELDS.findall(json.dumps(spec()["components"]["schemas"])))
    assert {text.split()[0] for text in sentences if not text[0].isupper()} <= named
    assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize("evidence", sorted({it.evidence for it in MUTANTS.values()}))
def test_evidence_of_mutant_exists(evidence: str) -> None:
    """Each mutant names an existing entry of docs/evidence.md or place in openapi.yaml."""
    assert named_in(evidence)


@pytest.mark.parametrize("evidence", sorted({it.evidence for it in VARIANTS.values()}))
def test_evidence_of_variant_exists(evidence: str) -> None:
    """Each variant names an existing entry or place, a standard, or openapi.yaml as a whole."""
    assert named_in(evidence) or "RFC" in evidence or "openapi.yaml" in evidence


def named_in(evidence: str) -> list[str]:
    """Return the entries and places that ``evidence`` names; all of them must exist."""
    entries = ENTRY.findall(evidence)
    assert [] == [name for name in entries if not is_entry(name)]
    places = [place for place in re.findall(r"\w+(?:\.\w+)*", evidence) if is_component(place)]
    for place in places:
        look_up(place)
    return [*entries, *places, *({*operations()} & set(re.findall(r"\w+", evidence)))]


def is_entry(name: str) -> bool:
    """Return whether docs/evidence.md has an entry ``name``."""
    return f"| {name} |" in EVIDENCE or f"### {name} " in EVIDENCE


def is_component(place: str) -> bool:
    """Return whether ``place`` begins with the name of a component."""
    return any(place.partition(".")[0] in kind for kind in spec()["components"].values())


def look_up(place: str) -> None:
    """Look up ``place`` in openapi.yaml. Raises `KeyError` if it does not exist."""
    name, *steps = place.split(".")
    # A schema and a parameter can have the same name.
    nodes = [kind[name] for kind in spec()["components"].values() if name in kind]
    for step in steps:
        nodes = [inner[step] for node in nodes for inner in insides(node) if step in inner]
    if not nodes:
        raise KeyError(place)


def insides(node: Any) -> list[Any]:
    """Return ``node`` and, if it is a parameter, its schema."""
    return [node, node["schema"]] if "schema" in node else [node]


def test_patterns_and_classes_are_combined() -> None:
    """Patterns and classes each restrict the selection; an unmatched pattern is an error."""
    assert ["done-twice"] == [mutant.id for mutant in chosen(["done-twice"], [])]
    both = chosen(["*-foreign", "no-*"], ["auth"])
    assert {"auth"} == {mutant.kind for mutant in both}
    assert {"read-foreign", "no-token-me"} <= {mutant.id for mutant in both}
    assert list(MUTANTS.values()) == chosen([], [])
    with pytest.raises(LookupError, match="no mutant matches 'zzz-"):
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
def test_missing_place_is_an_error(place: object) -> None:
    """A fault at a place that no longer exists raises, instead of leaving the mock intact."""
    assert callable(place)
    with pytest.raises((KeyError, AttributeError)):
        place(Server())
