from pathlib import Path

import pytest

from extproc.settings import Address, SettingsError, parse

NODE = ["--node-id", "envoy-1"]


def test_the_defaults_are_those_of_the_operators_interface() -> None:
    settings = parse(NODE, {})
    assert str(settings.controlplane) == "127.0.0.1:7401"
    assert str(settings.http) == "127.0.0.1:7412"
    assert str(settings.envoy_admin) == "127.0.0.1:7420"
    assert settings.socket == Path("run/extproc.sock")
    assert settings.follow_up_ms == 10_000
    assert settings.tls is None
    assert (settings.transport, settings.tcp) == ("own", None)


@pytest.mark.parametrize("transport", ["own", "grpcio"])
def test_the_transport_may_be_chosen(transport: str) -> None:
    assert parse([*NODE, "--transport", transport], {}).transport == transport
    assert parse(NODE, {"SERINUS_TRANSPORT": transport}).transport == transport


def test_workers_are_a_number_or_the_cores() -> None:
    assert parse(NODE, {}).workers == 1
    assert parse([*NODE, "--workers", "4"], {}).workers == 4
    assert parse(NODE, {"SERINUS_WORKERS": "auto"}, cores=3).workers == 3
    assert parse([*NODE, "--workers", "auto"], {}, cores=512).workers == 32


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (["--workers", "0"], "--workers '0'"),
        (["--workers", "33"], "--workers '33'"),
        (["--workers", "all"], "--workers 'all'"),
        (["--workers", "4", "--http", "127.0.0.1:65533"], "as many ports"),
        (["--workers", "2", "--tcp", "127.0.0.1:7413"], "one worker only"),
        (["--workers", "2", "--socket", "/" + "s" * 96], "Unix socket cannot carry"),
    ],
)
def test_workers_that_cannot_be_are_refused(flags: list[str], part: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse([*NODE, *flags], {})
    assert part in str(caught.value)


def test_every_flag_is_an_environment_variable_and_a_flag_wins() -> None:
    env = {"SERINUS_RUN_DIR": "/r", "SERINUS_NODE_ID": "n", "SERINUS_HTTP": "127.0.0.1:1", "SERINUS_FOLLOW_UP": "1.5s"}
    settings = parse(["--http", "127.0.0.1:2"], env)
    assert settings.node_id == "n"
    assert settings.socket == Path("/r/extproc.sock")
    assert settings.http == Address("127.0.0.1", 2)
    assert settings.follow_up_ms == 1_500


def test_all_faults_are_told_at_once_with_the_next_step() -> None:
    argv = ["--controlplane", "nowhere", "--follow-up", "10", "--transport", "h2", "--tls-ca", "/ca.pem"]
    with pytest.raises(SettingsError) as caught:
        parse(argv, {})
    text = str(caught.value)
    for part in ("--controlplane 'nowhere'", "--follow-up '10'", "--transport h2", "all three or none", "--node-id"):
        assert part in text
    assert text.endswith("next: python -m extproc --help")


@pytest.mark.parametrize("host", ["0.0.0.0:7412", "[::]:7412", "10.1.2.3:7412", "metrics.example.com:7412"])
def test_http_beyond_loopback_without_tls_needs_the_word_insecure(host: str) -> None:
    with pytest.raises(SettingsError, match="beyond loopback"):
        parse([*NODE, "--http", host], {})
    settings = parse([*NODE, "--http", host, "--insecure"], {})
    assert settings.http_tls is None


def test_http_beyond_loopback_speaks_tls_when_certificates_are_given(tmp_path: Path) -> None:
    flags = certificates(tmp_path)
    assert parse([*NODE, "--http", "0.0.0.0:7412", *flags], {}).http_tls is not None
    assert parse([*NODE, *flags], {}).http_tls is None


def certificates(directory: Path) -> list[str]:
    flags = []
    for name in ("ca", "cert", "key"):
        (directory / name).touch()
        flags += [f"--tls-{name}", str(directory / name)]
    return flags


@pytest.mark.parametrize("more", [[], ["--tcp-tls", "off"]])
@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "10.1.2.3"])
def test_tcp_beyond_loopback_without_tls_needs_the_word_insecure(host: str, more: list[str]) -> None:
    argv = [*NODE, "--tcp", f"{host}:7413", *more]
    with pytest.raises(SettingsError, match=r"--tcp .* is beyond loopback"):
        parse(argv, {})
    assert parse([*argv, "--insecure"], {}).tcp_tls == "off"
    assert parse([*NODE, "--tcp", "127.0.0.1:7413"], {}).tcp == Address("127.0.0.1", 7413)


def test_tcp_with_certificates_asks_clients_for_theirs_unless_told_otherwise(tmp_path: Path) -> None:
    argv = [*NODE, "--tcp", "0.0.0.0:7413", *certificates(tmp_path)]
    assert parse(argv, {}).tcp_tls == "mutual"
    assert parse([*argv, "--tcp-tls", "server"], {}).tcp_tls == "server"
    with pytest.raises(SettingsError, match="beyond loopback"):
        parse([*argv, "--tcp-tls", "off"], {})


@pytest.mark.parametrize(
    ("argv", "fault"),
    [
        (["--tcp", "7413"], "--tcp '7413' is not HOST:PORT"),
        (["--tcp", "127.0.0.1:1", "--tcp-tls", "maybe"], "--tcp-tls maybe: choose one of mutual, server, off"),
        (["--tcp", "127.0.0.1:1", "--tcp-tls", "mutual"], "--tcp-tls mutual needs --tls-ca"),
        (["--tcp", "127.0.0.1:1", "--transport", "grpcio"], "--tcp is served by --transport own only"),
    ],
)
def test_faults_of_the_tcp_listener_are_named(argv: list[str], fault: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse([*NODE, *argv], {})
    assert fault in str(caught.value)


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    argv = [*NODE, "--tls-ca", str(tmp_path / "ca"), "--tls-cert", "c", "--tls-key", "k"]
    with pytest.raises(SettingsError, match="no such file"):
        parse(argv, {})


@pytest.mark.parametrize("where", ["http://127.0.0.1:9000/rate", "https://grader.example.com/", "team.grading:rate"])
def test_an_evaluator_is_a_url_or_a_function(where: str) -> None:
    settings = parse([*NODE, "--evaluator", where, "--evaluate", "2.5%"], {})
    assert (settings.evaluator, settings.evaluate_bp) == (where, 250)
    assert parse(NODE, {}).evaluator == ""


@pytest.mark.parametrize(
    ("argv", "fault"),
    [
        (["--evaluator", "http://grader.example.com/"], "is beyond loopback: use https, or --insecure"),
        (["--evaluator", "grading"], "neither a URL nor module:function"),
        (["--evaluator", "http:///rate"], "neither a URL nor module:function"),
        (["--evaluate", "0%"], "is not a share from 0.01% to 100%"),
        (["--evaluate", "5"], "is not a share from 0.01% to 100%"),
        (["--evaluate", "101%"], "is not a share from 0.01% to 100%"),
    ],
)
def test_an_evaluator_that_cannot_be_is_refused_in_words(argv: list[str], fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        parse([*NODE, *argv], {})


def test_a_socket_path_that_the_kernel_cannot_carry_is_refused_before_anything_starts() -> None:
    with pytest.raises(SettingsError, match="Unix socket cannot carry"):
        parse([*NODE, "--socket", "/" + "s" * 100], {})


@pytest.mark.parametrize(
    ("text", "loopback"),
    [("127.0.0.1:1", True), ("127.9.9.9:1", True), ("[::1]:1", True), ("localhost:1", True), ("192.0.2.1:1", False)],
)
def test_what_loopback_is(text: str, loopback: bool) -> None:
    address = parse([*NODE, "--envoy-admin", text], {}).envoy_admin
    assert address.is_loopback is loopback
    assert str(address) == text


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse(["--help"], {})
    assert left.value.code == 0
    assert "example:\n  python -m extproc" in capsys.readouterr().out
