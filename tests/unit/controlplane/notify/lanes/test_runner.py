"""Lanes: receivers that are slow, down, broken or gone cost nobody else anything, and each failure is counted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

import pytest

from controlplane.engine.hooks.calls import HookCall, HookReply
from controlplane.engine.secrets import Reading
from controlplane.manifest.notify import Occasion
from controlplane.notify.client import Sender
from controlplane.notify.lanes.runner import LANES_MAX, Lanes
from controlplane.notify.outbox import AGE_MS_MAX, WAITING_MAX
from controlplane.telemetry.exporter import Exporter
from tests.unit.controlplane.notify.samples import notice, target
from tests.unit.controlplane.rollout.facts import T0_MS
from tests.waiting import until

SLOW, QUICK = target(webhook="http://slow.test/"), target(webhook="http://quick.test/")


class Receivers:
    """Answer as they are told, by host; else yes."""

    def __init__(self, **answers: list[HookReply]) -> None:
        self.answers = answers
        self.calls: list[HookCall] = []
        self.hanging: set[str] = set()

    async def call(self, call: HookCall, /) -> HookReply:
        host = call.url.split("/")[2].partition(".")[0]
        if host in self.hanging:
            await asyncio.get_running_loop().create_future()
        self.calls.append(call)
        answers = self.answers.get(host)
        return answers.pop(0) if answers else HookReply(200)

    def ids(self, host: str) -> list[str]:
        return [call.headers["idempotency-key"] for call in self.calls if f"//{host}." in call.url]


class Secrets:
    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read(self, names: Collection[str], /) -> Reading:
        faults = {name: f"secret file {name} is away" for name in names if name not in self.files}
        return Reading({name: self.files[name] for name in names if name in self.files}, faults)


class World:
    def __init__(self, receivers: Receivers) -> None:
        self.now_ms, self.receivers, self.secrets, self.exporter = T0_MS, receivers, Secrets(), Exporter()
        self.lanes = Lanes(Sender(receivers), self.secrets, self.exporter, lambda: self.now_ms, pause_s=lambda _: 0.0)

    def count(self, kind: str, outcome: str) -> float:
        line = f'serinus_notifications_total{{kind="{kind}",outcome="{outcome}"}} '
        return sum(
            float(each.removeprefix(line)) for each in self.exporter.text().decode().splitlines() if line in each
        )


def played(receivers: Receivers, tell: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        world = World(receivers)
        try:
            await tell(world)
        finally:
            world.lanes.close()

    asyncio.run(run())


def test_notices_arrive_in_order_and_what_fails_is_tried_again_under_the_same_id() -> None:
    receivers = Receivers(quick=[HookReply(500), HookReply(0, "none within 10 s"), HookReply(204)])

    async def tell(world: World) -> None:
        world.lanes.put(QUICK, [notice(1), notice(2)])
        await until(lambda: not world.lanes.waiting())
        one, two = notice(1).id, notice(2).id
        assert receivers.ids("quick") == [one, one, one, two]
        assert (world.count("webhook", "retried"), world.count("webhook", "delivered")) == (2, 2)
        assert world.lanes.fault(QUICK) == ""

    played(receivers, tell)


def test_a_receiver_that_hangs_holds_up_itself_alone() -> None:
    receivers = Receivers()
    receivers.hanging = {"slow"}

    async def tell(world: World) -> None:
        world.lanes.put(SLOW, [notice(1)])
        world.lanes.put(QUICK, [notice(1), notice(2)])
        await until(lambda: len(receivers.ids("quick")) == 2)
        assert [each.serial for each in world.lanes.waiting()] == [1]

    played(receivers, tell)


@pytest.mark.parametrize("status", [301, 400, 403, 410])
def test_what_is_refused_for_good_is_given_up_told_and_the_next_goes_out(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    receivers = Receivers(quick=[HookReply(status, "no")])

    async def tell(world: World) -> None:
        world.lanes.put(QUICK, [notice(1)])
        await until(lambda: not world.lanes.waiting())
        assert world.lanes.fault(QUICK) == f"webhook http://quick.test/ answered {status}: no"
        assert world.count("webhook", "refused") == 1
        world.lanes.put(QUICK, [notice(2)])
        await until(lambda: not world.lanes.waiting())
        assert world.lanes.fault(QUICK) == "", "it takes things again"

    with caplog.at_level(logging.ERROR, "serinus.notify"):
        played(receivers, tell)
    assert caplog.messages == [
        f"webhook http://quick.test/ was not told: webhook http://quick.test/ answered {status}: no"
    ]


def test_what_is_too_old_is_given_up() -> None:
    receivers = Receivers()

    async def tell(world: World) -> None:
        world.now_ms = T0_MS + AGE_MS_MAX + 1
        world.lanes.put(QUICK, [notice(1), notice(2, at_ms=world.now_ms)])
        await until(lambda: not world.lanes.waiting())
        assert receivers.ids("quick") == [notice(2).id]
        assert world.count("webhook", "gave_up") == 1

    played(receivers, tell)


def test_a_secret_that_is_away_is_told_and_read_again_at_each_try() -> None:
    receivers = Receivers()
    slack = target(slack={"url_file": "slack.url"})

    async def tell(world: World) -> None:
        world.lanes.put(slack, [notice(1)])
        await until(lambda: "secret file slack.url is away" in world.lanes.fault(slack))
        world.secrets.files["slack.url"] = b"https://hooks.test/T/B/x"
        await until(lambda: not world.lanes.waiting())
        assert [call.url for call in receivers.calls] == ["https://hooks.test/T/B/x"]

    played(receivers, tell)


def test_an_alertmanager_is_told_what_stands_and_when_it_does_no_more() -> None:
    receivers = Receivers(am=[HookReply(503), HookReply(200)])
    alertmanager = target(alertmanager="http://am.test:9093")
    hold = notice(4, Occasion.HOLD)

    async def tell(world: World) -> None:
        world.lanes.stand(alertmanager, [])
        world.lanes.stand(alertmanager, [hold])
        await until(lambda: world.count("alertmanager", "delivered") == 1)
        assert len(receivers.calls) == 2
        world.lanes.follow([alertmanager])
        world.lanes.stand(alertmanager, [])
        await until(lambda: len(receivers.calls) == 3)
        assert b"2023-11-14T22:13:20.000Z" in receivers.calls[-1].body.partition(b"endsAt")[2]

    played(receivers, tell)


def test_a_receiver_that_no_manifest_names_any_more_gets_the_rest_and_is_gone() -> None:
    receivers = Receivers()
    receivers.hanging = {"slow"}

    async def tell(world: World) -> None:
        world.lanes.put(SLOW, [notice(1)])
        world.lanes.put(QUICK, [notice(1)])
        await until(lambda: bool(receivers.ids("quick")))
        world.lanes.follow([])
        assert list(world.lanes._lanes) == [SLOW], "it has not been told yet"

    played(receivers, tell)


def test_one_address_has_one_lane_whatever_it_is_told_and_there_are_not_too_many() -> None:
    async def tell(world: World) -> None:
        world.lanes.put(target(webhook="http://quick.test/", on=["hold"]), [notice(1)])
        world.lanes.put(target(webhook="http://quick.test/", on=["step"]), [notice(2)])
        assert len(world.lanes._lanes) == 1
        for number in range(LANES_MAX + 1):
            world.lanes.put(target(webhook=f"http://quick.test/{number}"), [notice(1)])
        assert len(world.lanes._lanes) == LANES_MAX
        assert world.count("webhook", "dropped") == 2

    played(Receivers(), tell)


def test_more_than_a_receiver_can_take_is_dropped_and_counted() -> None:
    receivers = Receivers()
    receivers.hanging = {"slow"}

    async def tell(world: World) -> None:
        world.lanes.put(SLOW, [notice(serial) for serial in range(WAITING_MAX + 44)])
        assert world.count("webhook", "dropped") == 44
        assert len(world.lanes.waiting()) == WAITING_MAX

    played(receivers, tell)
