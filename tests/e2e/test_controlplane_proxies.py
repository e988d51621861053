"""What the control plane does with its proxies: slow ones, refusing ones, strangers, groups; and with secret files."""

import asyncio
import time
from pathlib import Path

import grpc
import pytest

from controlplane.rollout.model import Aborted, Observing, Promoted
from controlplane.snapshot.resource import CLUSTER, ROUTE, SECRET
from serinus.v1 import admin_pb2
from tests.e2e.fleet import FakeSidecar, running
from tests.e2e.plane import PLAN, Plane, plane, settings
from tests.e2e.proxy import FakeProxy
from tests.unit.controlplane.manifest.samples import SERVICE
from tests.waiting import until

pytestmark = pytest.mark.e2e

SLOW = PLAN.replace("min_step: 1s", "min_step: 1h")
V2 = '{name: v2, endpoints: ["127.0.0.1:8002"], health: {path: /health}}'
V3 = '{name: v3, endpoints: ["127.0.0.1:8003"]}'
TALK = SERVICE.replace("name: chat}", "name: talk}").replace('hosts: ["*"]', "hosts: [talk.example]")


def group(name: str, listen: str, *nodes: str) -> str:
    only = f", nodes: {list(nodes)}" if nodes else ""
    return f"apiVersion: serinus/v1\nkind: ProxyGroup\nmetadata: {{name: {name}}}\nspec: {{listen: '{listen}'{only}}}\n"


async def got(control: Plane, kind: str) -> admin_pb2.GetResponse:
    response = await control.call("Get", admin_pb2.GetRequest(kind=kind))
    assert isinstance(response, admin_pb2.GetResponse)
    return response


def holds(proxy: FakeProxy, secret: bytes) -> bool:
    return any(secret in body for body in proxy.contents.get(SECRET, []))


async def rollout_view(control: Plane) -> admin_pb2.RolloutView:
    return (await got(control, "rollout")).rollouts[0]


def test_a_rollback_does_not_wait_for_another_services_new_cluster(tmp_path: Path) -> None:
    async def story() -> None:
        async with plane(settings(tmp_path)) as control:
            proxy = FakeProxy(control.config.xds, cold={"talk/v3"})
            sidecar = FakeSidecar(control.config.xds, control.rows())
            async with running(proxy, sidecar):
                await control.apply(SERVICE + "---\n" + TALK + "---\n" + SLOW)
                await control.until(lambda: isinstance(control.phase(), Observing))
                assert proxy.weight("chat/v2") == 1_000
                # talk's next version never gets warm.
                await control.apply(TALK.replace(V2, V3).replace("baseline: v1", "baseline: v3"))
                await asyncio.sleep(0.3)
                assert proxy.named() == {"chat/v1", "chat/v2", "talk/v1"}
                before = time.monotonic()
                await control.call("Abort", admin_pb2.OperatorRequest(rollout="chat-v2", actor="ada", reason="x"))
                await control.until(lambda: isinstance(control.phase(), Aborted), 5)
                assert time.monotonic() - before < 3
                assert proxy.named() == {"chat/v1", "talk/v1"}
                await proxy.warmed("talk/v3")
                await control.until(lambda: "talk/v3" in proxy.named(), 5)
            assert proxy.faults == []

    asyncio.run(story())


def test_a_proxy_that_is_slow_is_left_behind_after_the_time_that_was_set(tmp_path: Path) -> None:
    async def story() -> None:
        async with plane(settings(tmp_path, proxy_timeout_s=1.0)) as control:
            good, slow = (FakeProxy(control.config.xds, node=node) for node in ("edge-1", "edge-2"))
            async with running(good, slow):
                await control.apply(SERVICE)
                await until(lambda: {"chat/v1"} == good.named() == slow.named())
                slow.cold.add("chat/v3")
                await control.apply(SERVICE.replace(V2, V3).replace("baseline: v1", "baseline: v3"))
                await asyncio.sleep(0.5)
                assert good.named() == {"chat/v1"}, "both must be warm first"
                await until(lambda: "chat/v3" in good.named())
                assert slow.named() == {"chat/v1"}, "its own stream keeps back what it cannot follow"
                await slow.warmed("chat/v3")
                await until(lambda: "chat/v3" in slow.named())
            assert good.faults == slow.faults == []

    asyncio.run(story())


def test_a_rejection_holds_the_rollout_with_envoys_own_words_until_it_is_mended(tmp_path: Path) -> None:
    async def story() -> None:
        words = "health check path is no path"
        async with plane(settings(tmp_path)) as control:
            engine = control.control.engine
            good = FakeProxy(control.config.xds)
            bad = FakeProxy(control.config.xds, node="edge-2", refuses={"chat/v2": words})
            sidecars = [FakeSidecar(control.config.xds, control.rows(), node=node) for node in ("edge-1", "edge-2")]
            async with running(good, bad, *sidecars):
                await control.apply(SERVICE.replace(f"    - {V2}\n", ""))
                await until(lambda: {"chat/v1"} == good.named() == bad.named())
                await control.apply(SERVICE + "---\n" + PLAN)
                await control.until(
                    lambda: "chat-v2" in engine.last and engine.last["chat-v2"].decision.code == "proxy_rejected"
                )
                view = await rollout_view(control)
                assert f"edge-2: Error adding/updating cluster(s) chat/v2: {words}" in view.message
                (rejection,) = view.rejections
                assert (rejection.node, rejection.group, rejection.type) == ("edge-2", "default", "Cluster")
                assert words in rejection.message
                assert "chat/v2" not in good.named()
                states = {proxy.node: (proxy.state, proxy.mode) for proxy in (await got(control, "proxy")).proxies}
                assert states == {"edge-1": ("up to date", "sotw"), "edge-2": ("rejected", "sotw")}
                bad.refuses.clear()
                await control.apply(SERVICE.replace(V2, V2.replace("/health", "/healthz")))
                await control.until(lambda: isinstance(control.phase(), Promoted), 30)
                assert not (await rollout_view(control)).rejections
            assert good.faults == bad.faults == []

    asyncio.run(story())


def test_a_control_plane_that_is_killed_between_two_phases_goes_on_where_the_proxies_are(tmp_path: Path) -> None:
    async def story() -> None:
        config = settings(tmp_path)
        proxy = FakeProxy(config.xds)
        async with running(proxy):
            async with plane(config) as control:
                await control.apply(SERVICE)
                await until(lambda: "chat/v1" in proxy.named())
                proxy.cold.add("chat/v3")
                await control.apply(SERVICE.replace(V2, V3).replace("baseline: v1", "baseline: v3"))
                await asyncio.sleep(0.3)
                assert proxy.named() == {"chat/v1"}
            async with plane(config) as control:
                await control.until(lambda: control.control.engine.ads.stream_count == 1, 10)
                await asyncio.sleep(0.5)
                assert proxy.named() == {"chat/v1"}
                assert "chat/v1" in proxy.clusters
                await proxy.warmed("chat/v3")
                await until(lambda: "chat/v3" in proxy.named())
                await until(lambda: proxy.clusters == {"chat/v1", "chat/v3"})
        assert proxy.faults == []

    asyncio.run(story())


def test_groups_get_what_is_theirs_and_strangers_get_a_reason(tmp_path: Path) -> None:
    async def story() -> None:
        async with plane(settings(tmp_path)) as control:
            text = "---\n".join(
                [
                    group("edge", "127.0.0.1:10001", "edge-*"),
                    group("internal", "127.0.0.1:10002"),
                    SERVICE + "  proxies: [edge]\n",
                    TALK,
                ]
            )
            applied = await control.apply(text)
            assert [(each.kind, each.name) for each in applied.objects if each.kind == "ProxyGroup"] == [
                ("ProxyGroup", "edge"),
                ("ProxyGroup", "internal"),
            ]
            edge = FakeProxy(control.config.xds, node="edge-1", cluster="edge")
            internal = FakeProxy(control.config.xds, node="i-1", cluster="internal")
            stranger = FakeProxy(control.config.xds, node="s-1", cluster="elsewhere")
            intruder = FakeProxy(control.config.xds, node="x-1", cluster="edge")
            async with running(edge, internal, stranger, intruder):
                await until(lambda: "chat/v1" in edge.named())
                await until(lambda: "talk/v1" in internal.named())
                assert edge.named() == {"chat/v1", "talk/v1"}
                assert internal.named() == {"talk/v1"}
                await until(
                    lambda: {each.node.node_id for each in control.control.engine.ads.refusals} == {"s-1", "x-1"}
                )
                shown = await got(control, "proxy")
                refusals = {each.node: each.reason for each in shown.refusals}
                assert "its cluster is 'elsewhere': no such proxy group; groups: edge, internal" in refusals["s-1"]
                assert "proxy group edge does not admit node 'x-1'" in refusals["x-1"]
                assert {(each.node, each.group) for each in shown.proxies} == {("edge-1", "edge"), ("i-1", "internal")}
                assert abs(shown.refusals[-1].at_ms - time.time() * 1000) < 60_000
                groups = {each.name: each for each in (await got(control, "group")).groups}
                assert (groups["edge"].listen, list(groups["edge"].nodes)) == ("127.0.0.1:10001", ["edge-*"])
                assert list(groups["internal"].services) == ["talk"]
                assert (groups["internal"].connected, groups["internal"].up_to_date) == (1, 1)
            assert (stranger.routes, intruder.routes) == ([], [])
        async with plane(control.config) as again:
            assert again.control.engine.world.group_names == {"edge", "internal"}

    asyncio.run(story())


def test_a_secret_file_is_needed_at_apply_and_followed_afterwards(tmp_path: Path) -> None:
    async def story() -> None:
        text = SERVICE.replace(V2, V2[:-1] + ", auth: {file: chat/token}}")
        async with plane(settings(tmp_path)) as control:
            proxy = FakeProxy(control.config.xds, secrets=["chat/v2/credential"])
            async with running(proxy):
                with pytest.raises(grpc.aio.AioRpcError, match=r"chat.yaml:11: .*chat/token .*cannot be read"):
                    await control.apply(text)
                assert control.control.engine.world.services == {}
                token = tmp_path / "secrets/chat/token"
                token.parent.mkdir(parents=True)
                token.write_text("first-token\n")
                await control.apply(text + "---\n" + PLAN)
                await until(lambda: holds(proxy, b"first-token") and "chat/v2" in proxy.named())
                sent = proxy.contents[CLUSTER], proxy.contents[ROUTE]
                token.write_text("second-token\n")
                await until(lambda: holds(proxy, b"second-token"))
                assert (proxy.contents[CLUSTER], proxy.contents[ROUTE]) == sent
                token.unlink()
                await until(lambda: bool(control.control.engine.delivery.secrets.faults))
                (finding,) = (await rollout_view(control)).findings
                assert "chat/token" in finding
                assert "second" not in finding
                assert holds(proxy, b"second-token")

    asyncio.run(story())
