"""Tests for seed files and for the errors of an invalid one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.app import create_app
from siteassist_mock.content.seed import PAGES, PROJECT, PROJECT_ID, QNAS
from siteassist_mock.content.seed_file import read_seed
from siteassist_mock.content.yaml_file import FileError, YamlFile
from siteassist_mock.settings import MockSettings
from siteassist_spec import SpecError
from tests.mock.command import refused, started
from tests.values import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mock.conftest import Client, MakeClient, WriteYaml

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
def zoo(make_client: MakeClient, write_yaml: WriteYaml) -> Client:
    """Create a client of a server with the seed file, with its first private key."""
    return make_client(seed=write_yaml(SEED)).bearing("sk_one")


def test_the_project_is_that_of_the_file(zoo: Client) -> None:
    """The project has the values of the file, and built-in values where the file has none."""
    project = zoo.get("/projects/current?apiKey=pk_zoo").json
    widget = {**PROJECT["chatWidgetConfig"], "brandColor": "green"}
    expected = {**PROJECT, "name": "Zoo", "description": None, "chatWidgetConfig": widget}
    assert expected == project


def test_qnas_come_oldest_first(zoo: Client) -> None:
    """Q&As are listed oldest first, and each can be fetched by its identifier."""
    listed = zoo.get(f"/projects/{PROJECT_ID}/qnas").json["data"]
    assert ["Do you have zebras?", "When is the zoo open?"] == [qna["question"] for qna in listed]
    for qna in listed:
        assert qna == zoo.get(f"/projects/{PROJECT_ID}/qnas/{qna['id']}").json


def test_pages_are_found_and_linked(zoo: Client) -> None:
    """The search finds the pages of the file, and the assistant links to them."""
    (found,) = zoo.get("/search?apiKey=pk_open&q=zebras&size=3").json["results"]
    assert ("/animals/zebras", 3) == (found["path"], found["price"])
    assert "/" == zoo.get("/search?apiKey=pk_open&q=zoo").json["results"][0]["path"]
    said = [{"role": "user", "content": "Any zebras?"}]
    text = zoo.post("/chat/completions", {"messages": said}).json["steps"][0]["content"][0]["text"]
    assert "[Zebras](https://zoo.example/animals/zebras)" in text


def test_the_keys_are_those_of_the_file(zoo: Client) -> None:
    """Keys of the file replace the built-in ones; each private key has its own visitor."""
    assert 401 == zoo.get(f"/projects/current?apiKey={API_KEY}").status
    assert 401 == zoo.bearing(PRIVATE_KEY).get("/identity/me").status
    one, two = (zoo.bearing(key).get("/identity/me").json["id"] for key in ("sk_one", "sk_two"))
    assert one != two


def test_configured_keys_are_accepted_as_well(
    make_client: MakeClient, write_yaml: WriteYaml
) -> None:
    """Keys in the settings are accepted in addition to those of the file."""
    client = make_client(seed=write_yaml(SEED), api_key="pk_mine", private_key="sk_mine")
    for key in ("pk_mine", "pk_zoo"):
        assert 200 == client.get(f"/projects/current?apiKey={key}").status
    for token in ("sk_mine", "sk_two"):
        assert 200 == client.bearing(token).get("/identity/me").status


def test_a_reset_restores_the_file(zoo: Client) -> None:
    """A reset keeps the website, the keys and the visitors of the private keys."""
    visitor = zoo.get("/identity/me").json
    zoo.post("/conversations")
    assert 200 == zoo.below("/_mock").post("/reset").status
    assert visitor == zoo.get("/identity/me").json
    assert 0 == zoo.get("/conversations").json["total"]
    assert "Zoo" == zoo.get("/projects/current?apiKey=pk_zoo").json["name"]


@pytest.mark.parametrize("text", ["{}", "project: {}"])
def test_everything_is_optional(spec: dict[str, Any], write_yaml: WriteYaml, text: str) -> None:
    """Each part that the file omits is the built-in one."""
    seed = read_seed(write_yaml(text), spec)
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
        ("publishableKeys:\n- origins: []", ":2: publishableKeys, entry 1: key is required"),
        (
            "publishableKeys:\n- key: a\n  origins:\n  - zoo.example",
            ":4: publishableKeys, entry 1, origins, entry 1 does not match",
        ),
        ("publishableKeys:\n- key: a\n- key: a", ":3: publishableKeys, entry 2: key is duplicated"),
        ("privateKeys: [a b]", ":1: privateKeys, entry 1 does not match"),
        ("qnas:\n- question: a", ":2: qnas, entry 1: answer is required"),
        ("qnas:\n- {question: a, answer: b, id: c}", ":2: qnas, entry 1: id"),
        ("qnas:\n- {question: a, answer: b, tags: c}", ":2: qnas, entry 1: tags is an unknown key"),
        ("pages:\n- {title: a, content: b}", ":2: pages, entry 1: url is required"),
        ('pages:\n- {title: a, content: b, url: "http://["}', ":2: pages, entry 1: url is not a"),
        ("pages:\n- score: 1", ":2: pages, entry 1: score is not allowed: it depends on the query"),
    ],
)
def test_an_invalid_seed_is_one_line(
    spec: dict[str, Any], write_yaml: WriteYaml, text: str, problem: str
) -> None:
    """The error names the file, the line and the problem."""
    path = write_yaml(text)
    with pytest.raises(FileError) as caught:
        read_seed(path, spec)
    assert str(caught.value).startswith(f"{path}{problem}")
    assert "\n" not in str(caught.value)


def test_an_absent_part_has_the_line_of_its_parent(write_yaml: WriteYaml) -> None:
    """An error about an absent part names the line of the part around it."""
    file = YamlFile(write_yaml("a:\n  b: 1"))
    assert str(file.error(["a", "b", "c"], "is odd")).endswith(":2: a.b.c is odd")


def test_a_description_without_the_schemas_cannot_be_used(write_yaml: WriteYaml) -> None:
    """`--seed` needs a description with the schema of a project."""
    with pytest.raises(SpecError, match="--seed"):
        read_seed(write_yaml("{}"), {})


def test_an_invalid_seed_creates_no_database(write_yaml: WriteYaml, tmp_path: Path) -> None:
    """The seed file is validated before the database is created."""
    database = tmp_path / "mock.db"
    with pytest.raises(FileError):
        create_app(MockSettings(seed=write_yaml("a"), database=database))
    assert not database.exists()


def test_the_command_reads_a_seed_file(write_yaml: WriteYaml) -> None:
    """The command prints the file's publishable keys but not its private keys."""
    with started("--seed", str(write_yaml(SEED)), count=3) as (_, _, lines):
        assert ["publishable key: pk_zoo, pk_open", "private key:     as given"] == lines[1:]
    path = write_yaml("projects: 1")
    assert f"siteassist-mock: {path}:1: projects is an unknown key" == refused("--seed", str(path))


LEVELS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
MERGES = "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 30))
CHAIN = "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 102))
TOO_LARGE = "its aliases make it larger than 16777216 bytes"
TOO_DEEP = "nested more than 100 levels deep"


@pytest.mark.sweep(8)
@pytest.mark.parametrize("option", ["--seed", "--script"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a0: &a0 [x, x]\n" + LEVELS, TOO_LARGE),
        ("a0: &a0 {x: 1}\n" + MERGES, TOO_LARGE),
        (f"a: &a {'x' * 20_000}\nb: [{', '.join(['*a'] * 1000)}]", TOO_LARGE),
        ("a: &a [*a]", TOO_LARGE),
        ("a: &a {b: *a}", TOO_LARGE),
        ("a0: &a0 []\n" + CHAIN, TOO_DEEP),
        ("[" * 5000, TOO_DEEP),
        ("{a: " * 5000, TOO_DEEP),
        ("- " * 5000, TOO_DEEP),
        ("[" * 102 + "]" * 102, TOO_DEEP),
    ],
    ids=range(10),
)
def test_a_file_that_grows_is_one_line(
    write_yaml: WriteYaml, option: str, text: str, problem: str
) -> None:
    """Repeated and nested aliases neither stop the command nor print a traceback."""
    path = write_yaml(text)
    assert f"siteassist-mock: {path}: {problem}" == refused(option, str(path))


def test_aliases_can_be_used(make_client: MakeClient, write_yaml: WriteYaml) -> None:
    """Usual aliases and merge keys have the values of their anchors."""
    text = "qnas:\n- &first {question: Open?, answer: Yes.}\n- {<<: *first, question: Closed?}\n"
    client = make_client(seed=write_yaml(text))
    found = client.get(f"/projects/{PROJECT_ID}/qnas").json["data"]
    assert ["Yes.", "Yes."] == [qna["answer"] for qna in found]
