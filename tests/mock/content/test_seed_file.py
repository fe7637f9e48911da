"""A website of one's own, and what is said of a file that cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.app import create_app
from siteassist_mock.content.seed import PAGES, PROJECT, PROJECT_ID, QNAS
from siteassist_mock.content.seed_file import read_seed
from siteassist_mock.content.yaml_file import FileError, YamlFile
from siteassist_mock.settings import MockSettings
from siteassist_spec import SpecError
from tests.mock.test_cli import refused, started

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.mock.conftest import Client

SEED = """\
project:
  name: Zoo
  description: null
  chatWidgetConfig:
    brandColor: green
publishableKeys:
  - key: pk_zoo
    origins: [https://Zoo.example]
  - key: pk_open
privateKeys: [sk_one, sk_two]
qnas:
  - question: When is the zoo open?
    answer: From nine to six.
    createdAt: 2024-02-02T09:00:00.000Z
    id: 0B9F3C52-7D41-4C8E-9A26-5E8F7A1B2C3E
  - question: Do you have zebras?
    answer: Seven.
pages:
  - title: Zebras
    content: They have stripes.
    url: https://zoo.example/animals/zebras
    price: 3
  - title: The zoo
    content: A place.
    url: https://zoo.example
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a file and return its path."""

    def make(text: str) -> Path:
        path = tmp_path / "data.yaml"
        path.write_text(text)
        return path

    return make


@pytest.fixture
def zoo(make_client: Callable[..., Client], write: Callable[[str], Path]) -> Client:
    """Make a client of the zoo's server, with its first private key."""
    return make_client(seed=write(SEED)).bearing("sk_one")


def test_the_project_is_that_of_the_file(zoo: Client) -> None:
    """What the file leaves out is built in."""
    project = zoo.get("/projects/current?apiKey=pk_zoo").json
    widget = {**PROJECT["chatWidgetConfig"], "brandColor": "green"}
    expected = {**PROJECT, "name": "Zoo", "description": None, "chatWidgetConfig": widget}
    assert expected == project


def test_qnas_come_oldest_first(zoo: Client) -> None:
    """Each is found by its identifier, and each has one."""
    listed = zoo.get(f"/projects/{PROJECT_ID}/qnas").json["data"]
    assert ["Do you have zebras?", "When is the zoo open?"] == [qna["question"] for qna in listed]
    for qna in listed:
        assert qna == zoo.get(f"/projects/{PROJECT_ID}/qnas/{qna['id']}").json


def test_pages_are_found_and_linked(zoo: Client) -> None:
    """By the search and by the assistant."""
    (found,) = zoo.get("/search?apiKey=pk_open&q=zebras&size=3").json["results"]
    assert ("/animals/zebras", 3) == (found["path"], found["price"])
    assert "/" == zoo.get("/search?apiKey=pk_open&q=zoo").json["results"][0]["path"]
    said = [{"role": "user", "content": "Any zebras?"}]
    text = zoo.post("/chat/completions", {"messages": said}).json["steps"][0]["content"][0]["text"]
    assert "[Zebras](https://zoo.example/animals/zebras)" in text


def test_the_keys_are_those_of_the_file(zoo: Client) -> None:
    """The built-in ones count no more; each private key is a visitor of its own."""
    assert 401 == zoo.get("/projects/current?apiKey=sa_pk_1234567890abcdef").status
    assert 401 == zoo.bearing("sk_test_1234567890abcdef").get("/identity/me").status
    one, two = (zoo.bearing(key).get("/identity/me").json["id"] for key in ("sk_one", "sk_two"))
    assert one != two


def test_keys_that_are_given_count_besides(
    make_client: Callable[..., Client], write: Callable[[str], Path]
) -> None:
    """Of the settings, if they are not the built-in ones."""
    client = make_client(seed=write(SEED), api_key="pk_mine", private_key="sk_mine")
    for key in ("pk_mine", "pk_zoo"):
        assert 200 == client.get(f"/projects/current?apiKey={key}").status
    for token in ("sk_mine", "sk_two"):
        assert 200 == client.bearing(token).get("/identity/me").status


def test_a_reset_keeps_to_the_file(zoo: Client) -> None:
    """Website, keys and the private keys' visitors are what they were."""
    visitor = zoo.get("/identity/me").json
    zoo.post("/conversations")
    control = type(zoo)(zoo.app, zoo.spec, base="/_mock")
    assert 200 == control.post("/reset").status
    assert visitor == zoo.get("/identity/me").json
    assert 0 == zoo.get("/conversations").json["total"]
    assert "Zoo" == zoo.get("/projects/current?apiKey=pk_zoo").json["name"]


@pytest.mark.parametrize("text", ["{}", "project: {}"])
def test_everything_is_optional(
    spec: dict[str, Any], write: Callable[[str], Path], text: str
) -> None:
    """What is missing comes from the built-in seed."""
    seed = read_seed(write(text), spec)
    assert (PROJECT, None, None, QNAS, PAGES) == (
        seed.project,
        seed.publishable_keys,
        seed.private_keys,
        seed.qnas,
        seed.pages,
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ":1: the file is not of type"),
        ("\nprojects: 1", ":2: projects is an unknown key"),
        ("project:\n  id: 1", ":2: project.id is an unknown key"),
        ("project:\n  name: 5", ':2: project.name is not of type "string"'),
        (
            "project:\n  chatWidgetConfig:\n    width: x",
            ':3: project.chatWidgetConfig.width is not of type "number"',
        ),
        (
            "project:\n  chatWidgetConfig:\n    widht: 4",
            ":3: project.chatWidgetConfig.widht is an unknown key",
        ),
        (
            "project:\n  chatWidgetConfig:\n    offset: {x: 1}",
            ":3: project.chatWidgetConfig.offset.y is required",
        ),
        ("publishableKeys: []", ":1: publishableKeys has less than 1 item"),
        ("publishableKeys:\n- origins: []", ":2: publishableKeys.0.key is required"),
        (
            "publishableKeys:\n- key: a\n  origins:\n  - zoo.example",
            ":4: publishableKeys.0.origins.0 does not match",
        ),
        ("publishableKeys:\n- key: a\n- key: a", ":3: publishableKeys.1.key is duplicated"),
        ("privateKeys: [a b]", ":1: privateKeys.0 does not match"),
        ("qnas:\n- question: a", ":2: qnas.0.answer is required"),
        ("qnas:\n- {question: a, answer: b, id: c}", ":2: qnas.0.id"),
        ("qnas:\n- {question: a, answer: b, tags: c}", ":2: qnas.0.tags is an unknown key"),
        ("pages:\n- {title: a, content: b}", ":2: pages.0.url is required"),
        ('pages:\n- {title: a, content: b, url: "http://["}', ":2: pages.0.url is not a"),
        ("pages:\n- score: 1", ":2: pages.0.score is not allowed: it depends on the query"),
    ],
)
def test_a_bad_file_is_one_line(
    spec: dict[str, Any], write: Callable[[str], Path], text: str, problem: str
) -> None:
    """With file, line and problem."""
    path = write(text)
    with pytest.raises(FileError) as caught:
        read_seed(path, spec)
    assert str(caught.value).startswith(f"{path}{problem}")
    assert "\n" not in str(caught.value)


def test_the_line_is_that_of_what_is_there(write: Callable[[str], Path]) -> None:
    """Where a part has no line of its own, the one around it has."""
    file = YamlFile(write("a:\n  b: 1"))
    assert str(file.error(["a", "b", "c"], "is odd")).endswith(":2: a.b.c is odd")


def test_a_description_without_the_schemas_cannot_be_used(write: Callable[[str], Path]) -> None:
    """It says nothing of what a project is."""
    with pytest.raises(SpecError, match="--seed"):
        read_seed(write("{}"), {})


def test_a_bad_file_leaves_nothing_behind(write: Callable[[str], Path], tmp_path: Path) -> None:
    """It is read before the database is made."""
    database = tmp_path / "mock.db"
    with pytest.raises(FileError):
        create_app(MockSettings(seed=write("a"), database=database))
    assert not database.exists()


def test_the_command_takes_a_file(write: Callable[[str], Path]) -> None:
    """It says the publishable keys and keeps the private ones to itself."""
    with started("--seed", str(write(SEED))) as (_, lines):
        assert ["publishable key: pk_zoo, pk_open", "private key:     as given"] == lines[1:3]
    path = write("projects: 1")
    assert f"siteassist-mock: {path}:1: projects is an unknown key" == refused("--seed", str(path))
