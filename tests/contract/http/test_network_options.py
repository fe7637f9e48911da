"""The options for real networks, which all layers of a run follow alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract import cli
from siteassist_contract.findings import SHAPES
from siteassist_contract.load import cli as load_cli
from tests.values import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from click.testing import Result

    from tests.contract.conftest import Command, InProcess, Loopback, Serve

pytestmark = pytest.mark.one_interpreter

WORD = "word-${HOME}-of-the-gateway"
CA = "{ca}"
"""A placeholder for the file of the authority."""
CREDENTIALS = {"key": ("--api-key", API_KEY), "token": ("--token", PRIVATE_KEY)}
both = pytest.mark.parametrize("credential", CREDENTIALS.values(), ids=CREDENTIALS)
# The way to the server does not depend on the operation. These have a step in each layer.
_LAYERS = ("behaviour", "errors", "streams", "shapes")
FEW = (
    *("--only", "createChatCompletion", "--only", "search"),
    *(word for layer in _LAYERS for word in ("--layer", layer)),
    *("--examples", "1"),
)
few_steps = pytest.mark.usefixtures("without_kinds")
# Coverage doubles the time of a run, and the other tests have that of the same lines.
unmeasured = pytest.mark.no_cover


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove proxies, certificates and headers from the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SITEASSIST_HEADERS"):
        monkeypatch.delenv(name, raising=False)


def passed(result: Result) -> str:
    """Check that the server kept the contract, and that no secret was printed or reported."""
    assert 0 == result.exit_code, result.output
    reports = [path.read_text() for path in Path("reports").rglob("*") if path.is_file()]
    assert [] == [text for text in (result.output, *reports) if WORD in text]
    return result.output


def layers(output: str) -> set[str]:
    """Return the layers that sent requests."""
    lines = [
        line.split() for line in output.splitlines() if re.search(r" requests +[0-9.]+ s$", line)
    ]
    return {words[0] for words in lines}


ALL = {"errors", "streams", "behaviour", "shapes"}


@few_steps
@unmeasured
@pytest.mark.parametrize(
    ("credential", "options", "env", "repeated"),
    [
        (
            CREDENTIALS["key"],
            ("--header", f"X-Gateway: {WORD}", "--ca", CA),
            {"SSL_CERT_FILE": "/missing"},
            f" --ca {CA}",
        ),
        (
            CREDENTIALS["token"],
            ("--insecure",),
            {
                "SSL_CERT_FILE": "/missing",
                "SITEASSIST_HEADERS": f"\nX-Gateway:{WORD}\nX-Other:1\n",
            },
            " --insecure",
        ),
        (
            CREDENTIALS["token"],
            ("--header", f"X-Gateway:{WORD}"),
            {"SSL_CERT_FILE": CA, "REQUESTS_CA_BUNDLE": "/missing"},
            "",
        ),
    ],
    ids=["ca", "insecure", "environment"],
)
def test_all_layers_pass_a_gateway(
    credential: tuple[str, ...],
    options: tuple[str, ...],
    env: dict[str, str],
    repeated: str,
    shared: InProcess,
    loopback: Serve,
    command: Command,
    ca_file: Path,
    tmp_path: Path,
) -> None:
    """Each layer sends the headers, trusts the certificates, and reads no passwords.

    The gateway requires a header of each request, logins included, and has a certificate
    of its own. The printed command repeats the options for certificates.
    """
    shared.fault = None
    refused: list[httpx.Request] = []
    sent: set[str] = set()

    def gateway(request: httpx.Request) -> httpx.Response:
        sent.add(request.headers.get("Authorization", ""))
        if request.headers.get("X-Gateway") == WORD:
            return shared.handle_request(request)
        refused.append(request)
        return httpx.Response(403)

    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    options = tuple(word.replace(CA, str(ca_file)) for word in options)
    env = {name: value.replace(CA, str(ca_file)) for name, value in env.items()}
    server = loopback(gateway, tls=True)
    result = command(server.url, *credential, *options, *FEW, env={**env, "HOME": str(tmp_path)})
    output = passed(result)
    assert ALL == layers(output)
    assert [] == refused
    # The tests try the Basic scheme, but with credentials of their own.
    assert "Basic bWU6c2VjcmV0" not in sent
    repeat = output.partition("Repeat with")[2].splitlines()[1]
    assert repeat.endswith(f"{repeated.replace(CA, str(ca_file))} --examples 1")
    assert not repeated or repeat.count(" --ca ") + repeat.count(" --insecure") == 1


@both
def test_untrusted_certificate_ends_the_run(
    credential: tuple[str, ...],
    shared: InProcess,
    loopback: Serve,
    command: Command,
    ca_file: Path,
) -> None:
    """Without an option, the message names both; the authority of requests alone counts not."""
    server = loopback(shared.handle_request, tls=True)
    result = command(server.url, *credential, env={"CURL_CA_BUNDLE": str(ca_file)})
    assert 2 == result.exit_code
    assert "is not trusted (unable to get local issuer certificate): give" in result.stderr
    assert "--ca, or --insecure" in result.stderr


@few_steps
@unmeasured
def test_all_layers_use_the_same_proxy(
    shared: InProcess, loopback: Serve, command: Command
) -> None:
    """Each layer sends its requests to the proxy of the environment."""
    shared.fault = None
    proxy = loopback(shared.handle_request)
    # Nothing listens at the address of the server.
    env = {"ALL_PROXY": proxy.url.removesuffix("/v2"), "NO_PROXY": "other.example"}
    result = command("http://127.0.0.2:1/v2", "--api-key", API_KEY, *FEW, env=env)
    assert ALL == layers(passed(result))


@unmeasured
def test_large_answers_break_the_contract(
    shared: InProcess, loopback: Serve, command: Command
) -> None:
    """An answer of more than 16 MiB to a generated request is never a kept contract."""
    shared.fault = None

    def respond(request: httpx.Request) -> Any:
        if "schemathesis" not in request.headers.get("User-Agent", ""):
            return shared.handle_request(request)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
        return iter([head, *17 * [2**20 * b" "]])

    options = ("--layer", SHAPES, "--only", "getMe")
    result = command(loopback(respond).url, "--api-key", API_KEY, *options)
    assert 1 == result.exit_code, result.output
    assert "the answer does not end" in result.output


def test_header_of_the_tests_is_refused(served: Loopback, command: Command) -> None:
    """The message says why, and does not repeat the value."""
    options = ("--api-key", API_KEY, "--header", f"Authorization: {WORD}")
    result = command(served.url, *options)
    assert (2, False) == (result.exit_code, WORD in result.output)
    assert "the header Authorization cannot be given" in result.stderr


def test_missing_certificates_are_refused(served: Loopback, command: Command) -> None:
    """A file that does not exist is an error of usage, or of the environment."""
    result = command(served.url, "--api-key", API_KEY, "--ca", "missing.pem")
    assert (2, True) == (result.exit_code, "'missing.pem' does not exist" in result.stderr)
    result = command(served.url, "--api-key", API_KEY, env={"SSL_CERT_FILE": "missing.pem"})
    assert 2 == result.exit_code
    assert "SSL_CERT_FILE: missing.pem cannot be read: No such file" in result.stderr


def test_commands_share_the_options() -> None:
    """Both commands have the same options."""
    names = {"headers", "ca", "insecure"}
    for command in (cli.main, load_cli.main):
        assert names == names & {parameter.name for parameter in command.params}
