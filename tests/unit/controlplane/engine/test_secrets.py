"""Secret files: what was read well stays in force, and no content is ever shown."""

import pytest

from controlplane.engine.secrets import NoSecrets, Reading, SecretBook, names_of, problems
from controlplane.engine.world import World, plan_apply
from controlplane.manifest.load import load
from controlplane.snapshot.errors import SecretFileError

SERVICE = """\
apiVersion: serinus/v1
kind: Service
metadata: {name: chat}
spec:
  protocol: http
  hosts: ["*"]
  sticky: {header: x-user}
  versions:
    - {name: v1, endpoints: ["127.0.0.1:8001"], tls: {ca: ca.pem, cert: c.pem, key: k.pem}}
    - name: v2
      endpoints: ["127.0.0.1:8002"]
      auth: {file: token}
  baseline: v1
"""
MANIFESTS = load([("chat.yaml", SERVICE)])
WORLD = plan_apply(World(), MANIFESTS, 0).world
GOOD = {"ca.pem": b"CA", "c.pem": b"C1", "k.pem": b"K1", "token": b"T1"}


def pairs(files: dict[str, bytes]) -> dict[str, bytes]:
    """A build that knows two rules: a key has its certificate's number, and nothing is missing."""
    for name in GOOD:
        if name not in files:
            raise SecretFileError("chat/v1/x", name, "is not there", "put it there")
    if files["k.pem"][1:] != files["c.pem"][1:]:
        raise SecretFileError("chat/v1/certificate", "k.pem", "is not the key of c.pem", "replace both")
    return files


def book() -> SecretBook:
    known = SecretBook()
    made, files, faults = known.build(pairs, Reading(GOOD), WORLD)
    assert (made, faults) == (GOOD, {})
    assert known.take(files, faults, names_of(WORLD)) == ()
    return known


def test_a_world_needs_the_files_that_its_versions_name() -> None:
    assert names_of(WORLD) == GOOD.keys()


def test_a_fault_stands_where_the_file_is_named() -> None:
    found = problems(MANIFESTS, {"token": "secret file token cannot be read", "k.pem": "secret file k.pem is large"})
    assert [str(problem) for problem in found] == [
        "chat.yaml:9: spec.versions[0].tls: secret file k.pem is large",
        "chat.yaml:12: spec.versions[1].auth.file: secret file token cannot be read",
    ]


def test_without_a_directory_every_file_is_a_fault() -> None:
    assert NoSecrets().read(["token"]).faults == {"token": "secret file token: there is no directory of secrets"}


def test_a_file_that_is_lost_keeps_its_last_content_and_is_told_once() -> None:
    known = book()
    left = {name: content for name, content in GOOD.items() if name != "ca.pem"}
    lost = Reading({**left, "token": b"T2"}, {"ca.pem": "gone"})
    assert known.is_news(lost)
    made, files, faults = known.build(pairs, lost, WORLD)
    assert made == {**GOOD, "token": b"T2"}
    assert known.take(files, faults, names_of(WORLD)) == ("gone",)
    assert known.take(files, faults, names_of(WORLD)) == ()
    assert not known.is_news(lost)
    assert known.is_news(Reading(made)), "it is there again"
    assert known.is_news(Reading(lost.files, {"ca.pem": "gone elsewhere"}))
    assert known.findings({"ca.pem"}) == ("gone (until then the proxies keep what was read before)",)
    assert known.findings({"token"}) == ()


def test_a_certificate_that_was_replaced_without_its_key_changes_nothing_until_both_are_there() -> None:
    known = book()
    half = Reading({**GOOD, "c.pem": b"C2", "token": b"T2"})
    made, files, faults = known.build(pairs, half, WORLD)
    assert made == {**GOOD, "token": b"T2"}, "the pair stays as it was; the credential moves"
    assert faults.keys() == {"k.pem"}
    known.take(files, faults, names_of(WORLD))
    whole = Reading({**GOOD, "c.pem": b"C2", "k.pem": b"K2"})
    assert known.build(pairs, whole, WORLD)[0] == whole.files


def test_a_file_that_was_never_read_well_is_an_error() -> None:
    with pytest.raises(SecretFileError, match="token is not there"):
        SecretBook().build(
            pairs, Reading({name: body for name, body in GOOD.items() if name != "token"}, {"token": "x"}), WORLD
        )
    with pytest.raises(SecretFileError, match=r"k.pem is not the key of c.pem"):
        SecretBook().build(pairs, Reading({**GOOD, "c.pem": b"C2"}), WORLD)


def test_files_that_nothing_uses_any_more_are_forgotten() -> None:
    known = book()
    known.take(known.files, {}, {"token"})
    assert known.files.keys() == {"token"}


def test_no_content_is_in_the_words_of_a_reading() -> None:
    assert "T1" not in repr(Reading(GOOD, {"token": "gone"}))


def test_what_cannot_serve_although_it_did_before_is_an_error_and_no_endless_search() -> None:
    def never(files: dict[str, bytes]) -> None:
        raise SecretFileError("talk/v1/credential", "token", "is too long with that prefix", "shorten it")

    with pytest.raises(SecretFileError, match="too long"):
        book().build(never, Reading(GOOD), WORLD)
