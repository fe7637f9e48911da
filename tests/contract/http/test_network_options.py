"""The options for real networks, which all layers of a run follow alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract import cli
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
    lines = [line.split() for line in output.splitlines() if " requests, " in line]
    return {words[0] for words in lines}


ALL = {"errors", "streams", "behaviour", "shapes"}


@pytest.mark.parametrize(
    ("credential", "given"),
    [(CREDENTIALS["key"], "option"), (CREDENTIALS["token"], "environment")],
    ids=["option", "environment"],
)
def test_each_request_has_the_headers(
    credential: tuple[str, ...], given: str, shared: InProcess, loopback: Serve, command: Command
) -> None:
    """A gateway that requires a header gets it from all layers, logins included."""
    shared.fault = None
    refused: list[httpx.Request] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        if request.headers.get("X-Gateway") == WORD:
            return shared.handle_request(request)
        refused.append(request)
        return httpx.Response(403)

    options = ("--header", f"X-Gateway: {WORD}") if given == "option" else ()
    env = {} if options else {"SITEASSIST_HEADERS": f"\nX-Gateway:{WORD}\nX-Other:1\n"}
    result = command(loopback(gateway).url, *credential, *options, env=env)
    assert ALL == layers(passed(result))
    assert [] == refused


@pytest.mark.parametrize(
    ("options", "env"),
    [
        (("--ca", CA), {"SSL_CERT_FILE": "/missing"}),
        (("--insecure",), {"SSL_CERT_FILE": "/missing"}),
        ((), {"SSL_CERT_FILE": CA, "REQUESTS_CA_BUNDLE": "/missing"}),
    ],
)
def test_all_layers_trust_the_same_certificates(
    options: tuple[str, ...],
    env: dict[str, str],
    shared: InProcess,
    loopback: Serve,
    command: Command,
    ca_file: Path,
) -> None:
    """A server with its own certificate is tested by each layer, or by none."""
    options = tuple(word.replace(CA, str(ca_file)) for word in options)
    env = {name: value.replace(CA, str(ca_file)) for name, value in env.items()}
    shared.fault = None
    server = loopback(shared.handle_request, tls=True)
    result = command(server.url, "--api-key", API_KEY, *options, env=env)
    assert ALL == layers(passed(result))


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


def test_all_layers_use_the_same_proxy(
    shared: InProcess, loopback: Serve, command: Command
) -> None:
    """Each layer sends its requests to the proxy of the environment."""
    shared.fault = None
    proxy = loopback(shared.handle_request)
    # Nothing listens at the address of the server.
    env = {"ALL_PROXY": proxy.url.removesuffix("/v2"), "NO_PROXY": "other.example"}
    assert ALL == layers(passed(command("http://127.0.0.2:1/v2", "--api-key", API_KEY, env=env)))


def test_no_layer_reads_netrc(
    shared: InProcess,
    loopback: Serve,
    command: Command,
    tmp_path: Path,
) -> None:
    """The password of the user for another service on the host is never sent."""
    shared.fault = None
    sent: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("Authorization", ""))
        return shared.handle_request(request)

    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    result = command(loopback(respond).url, "--token", PRIVATE_KEY, env={"HOME": str(tmp_path)})
    assert ALL == layers(passed(result))
    # The tests try the Basic scheme, but with credentials of their own.
    assert "Basic bWU6c2VjcmV0" not in sent


def test_large_answers_end_the_run(shared: InProcess, loopback: Serve, command: Command) -> None:
    """An answer of more than 16 MiB to a generated request is never a kept contract."""
    shared.fault = None

    def respond(request: httpx.Request) -> Any:
        if "schemathesis" not in request.headers.get("User-Agent", ""):
            return shared.handle_request(request)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
        return iter([head, *17 * [2**20 * b" "]])

    result = command(loopback(respond).url, "--api-key", API_KEY)
    assert 2 == result.exit_code, result.output


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


def test_repeat_command_has_the_options(
    served: Loopback, shared: InProcess, command: Command, ca_file: Path
) -> None:
    """The printed command repeats the options, and no secret."""
    shared.fault = None
    options = ("--header", f"A:{WORD}", "--ca", str(ca_file), "--insecure")
    output = passed(command(served.url, "--api-key", API_KEY, *options))
    repeat = next(line for line in output.splitlines() if line.startswith("Repeat"))
    assert repeat.endswith(f" --ca {ca_file} --insecure")


def test_commands_share_the_options() -> None:
    """Both commands have the same options."""
    names = {"headers", "ca", "insecure"}
    for command in (cli.main, load_cli.main):
        assert names == names & {parameter.name for parameter in command.params}
