"""What a rollout's `notify` takes, and what it refuses in words that say what to write."""

import pytest

from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import load
from controlplane.manifest.notify import BY_DEFAULT, MailTls, Occasion, Target, TargetKind
from controlplane.manifest.schema import RolloutSpec
from tests.unit.controlplane.manifest.samples import ROLLOUT

MAIL = "to: [ops@example.com], from: serinus@example.com"


def targets_of(text: str) -> tuple[Target, ...]:
    (manifest,) = load([("r.yaml", f"{ROLLOUT}  notify: {text}\n")])
    assert isinstance(manifest.spec, RolloutSpec)
    return manifest.spec.notify


def test_each_kind_of_receiver_is_read_with_its_secret_files() -> None:
    webhook, slack, email, alertmanager = targets_of(
        "\n    - {webhook: 'http://127.0.0.1:9000/hook', key_file: hook.key, auth: {file: hook.token}, on: [drift]}"
        "\n    - {slack: {url_file: slack.url}}"
        f"\n    - {{email: {{{MAIL}, server: 'mail.example.com:587', login_file: login, ca: ca.pem}}}}"
        "\n    - {alertmanager: 'http://127.0.0.1:9093/'}"
    )
    assert [each.kind for each in (webhook, slack, email, alertmanager)] == list(TargetKind)
    assert webhook.on == (Occasion.DRIFT,)
    assert slack.on == BY_DEFAULT
    assert (webhook.files, slack.files) == ({"hook.key", "hook.token"}, {"slack.url"})
    assert email.files == {"login", "ca.pem"}
    assert alertmanager.alertmanager == "http://127.0.0.1:9093"


def test_without_notify_or_with_none_nobody_is_told() -> None:
    assert targets_of("null") == targets_of("[]") == ()


def test_people_are_told_of_what_they_need_not_of_every_step() -> None:
    assert {Occasion.HOLD, Occasion.ROLLED_BACK, Occasion.APPROVAL, Occasion.PROMOTED} <= set(BY_DEFAULT)
    assert Occasion.STEP not in BY_DEFAULT


@pytest.mark.parametrize(
    ("server", "tls", "transport"),
    [
        ("mail.example.com:587", "", MailTls.STARTTLS),
        ("mail.example.com:465", ", tls: implicit", MailTls.IMPLICIT),
        ("127.0.0.1:25", "", MailTls.OFF),
        ("[::1]:25", "", MailTls.OFF),
        ("127.0.0.1:25", ", tls: starttls", MailTls.STARTTLS),
        ("localhost:25", "", MailTls.STARTTLS),
    ],
)
def test_mail_goes_in_clear_on_this_machine_alone(server: str, tls: str, transport: MailTls) -> None:
    (target,) = targets_of(f"[{{email: {{{MAIL}, server: '{server}'{tls}}}}}]")
    assert target.email is not None
    assert target.email.transport is transport


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("{}", "this is none"),
        ("{on: [step]}", "one of webhook, slack, email, alertmanager"),
        ("{webhook: 'http://a/', slack: {url_file: x}}", "this is webhook and slack"),
        ("{webhook: 'ftp://a/'}", "is not a URL"),
        ("{webhook: 'http://ada:pw@a/'}", "a URL with a password"),
        ("{slack: 'https://hooks.example.com/T/B/x'}", "put it into a file"),
        ("{alertmanager: 'http://a/?x=1'}", "has a query"),
        ("{slack: {url_file: x}, key_file: y}", "key_file signs a webhook"),
        ("{slack: {url_file: x}, auth: {file: y}}", "auth is a header of a webhook"),
        ("{slack: {url_file: ../x}}", "is not the name of a file"),
        ("{webhook: 'http://a/', on: [nothing]}", "'nothing' is none of started"),
        ("{webhook: 'http://a/', on: []}", "at least 1"),
        (f"{{email: {{{MAIL}, server: mail}}}}", "is no mail server"),
        (f"{{email: {{{MAIL}, server: 'ada:pw@mail:25'}}}}", "is no mail server"),
        (f"{{email: {{{MAIL}, server: 'mail:25', tls: off}}}}", "is for a server on this machine"),
        (f"{{email: {{{MAIL}, server: '127.0.0.1:25', ca: x}}}}", "says nothing without TLS"),
        ("{email: {to: ['a@b, c@d'], from: a@b, server: 'mail:25'}}", "is no mail address"),
        ('{email: {to: ["a@b\\r\\nBcc: c@d"], from: a@b, server: "mail:25"}}', "is no mail address"),
        ("{email: {to: [], from: a@b, server: 'mail:25'}}", "at least 1"),
    ],
)
def test_a_receiver_that_is_none_is_refused(target: str, part: str) -> None:
    with pytest.raises(ManifestError) as found:
        targets_of(f"[{target}]")
    assert part in str(found.value)


def test_eleven_receivers_are_too_many() -> None:
    with pytest.raises(ManifestError, match="at most 10"):
        targets_of(f"[{', '.join(['{slack: {url_file: x}}'] * 11)}]")
