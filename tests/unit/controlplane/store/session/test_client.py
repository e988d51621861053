"""A session with PostgreSQL: what its messages may say."""

import pytest

from controlplane.store.port import StoreError
from controlplane.store.session.client import Session, place_of


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("postgresql://ada:hunter2@db.example:6432/serinus", "db.example:6432/serinus"),
        ("postgresql://ada:hunter2@db.example/serinus?password=hunter2", "db.example:5432/serinus"),
        ("postgresql:///serinus", "the local socket:5432/serinus"),
        ("postgresql://ada:hunter2@db:x/serinus", "the given address"),
    ],
)
def test_a_place_is_named_without_who_may_enter(address: str, place: str) -> None:
    assert place_of(address) == place


@pytest.mark.parametrize(
    "address", ["postgresql://ada:hunter2@127.0.0.1:1/x", "postgresql://ada:hunter2@127.0.0.1:x/y"]
)
def test_no_error_names_the_password(address: str) -> None:
    session = Session(address)
    with pytest.raises(
        StoreError, match=r"cannot reach the database 127\.0\.0\.1:1/x|address .* cannot be used"
    ) as caught:
        session.run(lambda connection: connection.fetchval("SELECT 1"))
    assert "hunter2" not in str(caught.value)
    assert session.is_broken
    session.close()
