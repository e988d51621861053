import numpy as np
import pytest

from controlplane.simulate.worlds import LATE_S, NAMES, World, WorldError, world_of


def world(name: str, **options: float) -> World:
    values = {"rps": 50.0, "baseline": 0.02, "candidate": 0.02, "seconds": 540} | options
    return world_of(name, rng=np.random.default_rng(1), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_versions_that_are_alike_fail_alike_in_every_second(name: str) -> None:
    made = world(name)
    np.testing.assert_allclose(made.baseline, made.candidate)
    assert made.seconds == 540


@pytest.mark.parametrize("name", [name for name in NAMES if name in ("sticky", "unlike", "heavy-keys")])
def test_users_send_everything_and_fail_as_often_as_asked_on_the_whole(name: str) -> None:
    users = world(name).users
    assert users is not None
    assert users.shares.sum() == pytest.approx(1.0)
    assert users.shares @ users.rates == pytest.approx(0.02, rel=0.4)


def test_heavy_users_never_fail_and_sticky_ones_always_do() -> None:
    heavy, sticky = world("heavy-keys").users, world("sticky").users
    assert heavy is not None
    assert sticky is not None
    assert heavy.shares[:10].sum() == pytest.approx(0.8)
    assert not heavy.rates[:10].any()
    assert set(sticky.rates.tolist()) == {0.0, 1.0}


def test_late_begins_late_and_troubles_are_shared() -> None:
    late = world("late", candidate=0.1)
    assert (late.candidate[:LATE_S] == 0.02).all()
    assert (late.candidate[LATE_S:] == 0.1).all()
    assert (world("incident").baseline[200:245] == 0.10).all()
    assert (world("outage").baseline[120:480] == 0.03).all()
    assert (np.diff(world("drift").baseline) > 0).all()
    assert world("streams").stream_s == (10, 30)


@pytest.mark.parametrize(
    "options",
    [{"name": "venus"}, {"baseline": 0.0}, {"candidate": 1.5}, {"rps": 0.0}, {"rps": float("nan")}, {"seconds": 0}],
)
def test_a_world_that_cannot_be_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(WorldError):
        world(**{"name": "steady", **options})  # type: ignore[arg-type]
