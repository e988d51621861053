"""The pages in a real browser, before real rollouts: watched from 0 to 100 %, aborted by a click, a rollback explained."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from controlplane.ingest.rows import Row
from controlplane.security.access import mint, render
from tests.e2e.browser import Browser, browser
from tests.e2e.harness import Site, rollout_text, service_text
from tests.e2e.plane import PLAN, Plane, plane, settings
from tests.unit.controlplane.ingest.test_history import row
from tests.unit.controlplane.manifest.samples import SERVICE

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.demo]

USERS = [f"user-{number}" for number in range(400)]
RATE = 60.0
NAMES = ("good", "bad", "slow")
SIZES = (360, 768, 1280)
# A folder for pictures of what was looked at; none by default.
PICTURES = os.environ.get("SERINUS_TEST_PICTURES", "")


def services(versions: Mapping[str, str]) -> list[str]:
    return [service_text(name, versions, host=f"{name}.test") for name in NAMES]


@pytest.fixture(scope="module")
def site(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    each = runner.run(Site.start(tmp_path_factory.mktemp("site"), services))
    yield each
    runner.run(each.stop())


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with ExitStack() as stack:
        yield stack.enter_context(browser())


def url_of(site: Site, path: str) -> str:
    return f"http://{site.stack.settings.http}{path}"


def test_a_rollout_is_watched_from_nobody_to_everybody_on_one_page(
    runner: asyncio.Runner, site: Site, window: Browser
) -> None:
    def watch() -> list[str]:
        window.open(url_of(site, "/rollouts/good-v2"))
        window.script("window.isTheSamePage = true")
        window.until_says("live", "#live")
        weights: list[str] = []

        def look() -> bool:
            weight = window.text(".weight")
            if not weights or weights[-1] != weight:
                weights.append(weight)
            return "promoted" in window.text("#head")

        window.until(look, "promoted", 90)
        return weights

    async def story() -> list[str]:
        await site.admin.apply(rollout_text("good-v2", "good", steps=("20%", "50%", "100%"), min_step="2s"))
        async with site.client.load(USERS, rate=RATE, host="good.test") as load:
            weights = await asyncio.to_thread(watch)
        assert load.failed == []
        return weights

    weights = runner.run(story())
    assert weights[-1] == "100%"
    assert {"20%", "50%"} <= set(weights), weights
    assert weights == sorted(weights, key=lambda weight: float(weight.rstrip("%")))
    assert window.script("return window.isTheSamePage") is True
    # What runs, how far, is it worse, why is it there, what now: on the first screen.
    head = window.text("#head")
    for words in ("good-v2", "v1 → v2", "100%", "Is it worse?", "Why is it there?", "everyone has v2"):
        assert words in head, head
    assert window.text("#metrics").count("good enough") >= 1
    assert "start at 20%" in window.text("#events")
    assert window.faults == []


def test_a_rollback_is_explained(runner: asyncio.Runner, site: Site, window: Browser) -> None:
    async def story() -> None:
        site.v2.failure_share = 0.5
        async with site.client.load(USERS, rate=RATE, host="bad.test"):
            await site.admin.apply(rollout_text("bad-v2", "bad", steps=("50%", "100%")))
            await asyncio.to_thread(window.open, url_of(site, "/rollouts/bad-v2"))
            await asyncio.to_thread(window.until_says, "rolled back", "#head")
        site.v2.failure_share = 0.0

    runner.run(story())
    head = window.text("#head")
    assert "✖ Worse: errors." in head
    assert "errors: candidate" in head
    assert "Everyone has v1. Mend v2, then retry." in head
    assert "▼ rollback" in window.text("#events")
    window.open(url_of(site, "/"))
    assert "rolled back" in window.text("#ended")
    assert window.faults == []


def test_an_abort_is_clicked_asked_and_recorded(runner: asyncio.Runner, site: Site, window: Browser) -> None:
    async def story() -> None:
        async with site.client.load(USERS, rate=RATE, host="slow.test"):
            await site.admin.apply(rollout_text("slow-v2", "slow", steps=("20%", "100%"), min_step="10m"))
            await site.admin.until_observing("slow-v2", weight_bp=2_000)
            await asyncio.to_thread(click)
            view = await site.admin.rollout("slow-v2")
        assert (view.phase, view.weight_bp) == ("aborted", 0)
        assert "Ann" in {each.actor for each in view.events}

    def click() -> None:
        window.open(url_of(site, "/rollouts/slow-v2"))
        window.until_says("20%", ".weight")
        window.element('[data-verb="abort"]').click()
        assert window.element("#ask").is_displayed()
        assert "All users go back to v1 now." in window.text("#ask")
        assert not window.element("#ask-yes").is_enabled(), "an abort needs a reason"
        window.element("#ask-reason").send_keys("answers <b>look</b> odd")
        window.element("#ask-name").send_keys("Ann")
        window.element("#ask-yes").click()
        window.until_says("aborted", "#head")
        assert "answers <b>look</b> odd" in window.text("#events")
        assert window.count("#events li b b, #head dd b b") == 0

    runner.run(story())
    assert window.faults == []


def test_the_keyboard_is_enough(runner: asyncio.Runner, site: Site, window: Browser) -> None:
    """On the page of the rollout that was rolled back, which may be tried again."""
    window.open(url_of(site, "/rollouts/bad-v2"))
    window.script("document.activeElement.blur()")
    window.keys(Keys.TAB)
    assert window.script("return document.activeElement.textContent") == "Skip to the content"
    for _ in range(12):
        window.keys(Keys.TAB)
        if window.script("return document.activeElement.dataset.verb") == "retry":
            break
    window.keys(Keys.ENTER)
    assert window.element("#ask").is_displayed()
    window.keys(Keys.ESCAPE)
    assert not window.element("#ask").is_displayed()
    assert window.script("return document.activeElement.dataset.verb") == "retry", "the focus is where it was"
    assert runner.run(site.admin.rollout("bad-v2")).phase == "rolled_back"


@pytest.mark.parametrize("width", SIZES)
def test_no_page_is_wider_than_its_window(site: Site, window: Browser, width: int) -> None:
    window.resized(width, 900)
    for path in ("/", "/rollouts/bad-v2", "/services/bad?headers=x-user-id:%20ann"):
        window.open(url_of(site, path))
        wide = window.script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1], (path, wide)
    assert "Version" in window.text("#answer")
    assert window.faults == []


def history_of(world: Plane, minutes: int = 30) -> Iterator[Row]:
    """What sidecars would have told in that time: the candidate is slower, and in the newest minutes both fail more."""
    now_slot = world.control.engine.now_ms() // 1_000
    for slot in range(now_slot - minutes * 60, now_slot - 120, 5):
        bad = 2 if now_slot - slot < 600 else slot % 3 == 0
        yield row(slot, version="v1", requests=40, bad=int(bad), ttft_us=50_000 + slot % 7 * 4_000)
        yield row(slot, version="v2", requests=10, bad=int(bad), ttft_us=80_000 + slot % 11 * 9_000)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_last_day_and_distributions_are_drawn_at_every_size_in_the_light_and_in_the_dark(
    tmp_path: Path, dark: bool
) -> None:
    def look(window: Browser, url: str) -> None:
        for width in SIZES:
            window.resized(width, 900)
            window.open(url)
            assert [window.count("#history svg.curves"), window.count("#history svg.curves polyline")] == [4, 8]
            wide = window.script("return [document.documentElement.scrollWidth, window.innerWidth]")
            assert wide[0] <= wide[1], (width, wide)
            boxes = window.script(
                "return [...document.querySelectorAll('#history polyline')].map(e => {"
                " const box = e.getBBox(); const style = getComputedStyle(e);"
                " return [box.width, style.stroke, style.strokeDasharray] })"
            )
            assert all(box[0] > 100 for box in boxes), "each line runs through its picture"
            assert len({tuple(box[1:]) for box in boxes}) == 2, "versions differ in colour and in dashes"
            if PICTURES:
                window.picture(Path(PICTURES) / f"service-{'dark' if dark else 'light'}-{width}.png", width)
        texts = window.text("#history")
        for words in ("requests a second", "errors", "time to first token, p95", "Distributions", "v1", "v2"):
            assert words in texts
        told = window.script("return document.querySelector('#history svg').getAttribute('aria-label')")
        assert "v1" in told, "who does not see it is told the newest value"
        assert "v2" in told
        is_dark = window.script("return matchMedia('(prefers-color-scheme: dark)').matches")
        assert is_dark is dark
        assert window.faults == []

    async def story() -> None:
        async with plane(settings(tmp_path / "state")) as world:
            engine = world.control.engine
            await engine.apply([("chat.yaml", SERVICE)], dry_run=False, actor="test")
            engine.registry.history.add(history_of(world))
            await world.control._history.keep()
            with ExitStack() as stack:
                window = await asyncio.to_thread(stack.enter_context, browser(dark=dark))
                await asyncio.to_thread(look, window, f"http://{world.config.http}/services/chat")

    asyncio.run(story())


def test_a_wrong_token_is_refused_and_a_right_one_lets_in(tmp_path: Path, window: Browser) -> None:
    file = tmp_path / "tokens"
    text, kept = mint("ann", "viewer", secret=b"s" * 32, expires_s=10**10)
    file.write_text(render([kept]))
    file.chmod(0o600)

    def visit(url: str) -> None:
        window.open(f"{url}/rollouts/chat-v2")
        window.element("#token").send_keys("srn_ann_guess" + Keys.ENTER)
        window.until_says("the token is not known here", "[role=alert]")
        window.element("#token").send_keys(text + Keys.ENTER)
        window.until_says("chat-v2", "h1")
        assert window.text(".who span") == "ann (viewer)"
        assert window.count("[data-verb]") == 0
        window.element(".who button").click()
        window.until_says("Log in", "h1")
        window.open(f"{url}/")
        assert window.text("h1") == "Log in"

    async def story() -> None:
        async with plane(settings(tmp_path / "state", tokens=file)) as world:
            files = [("chat.yaml", SERVICE + "---\n" + PLAN)]
            await world.control.engine.apply(files, dry_run=False, actor="test")
            await asyncio.to_thread(visit, f"http://{world.config.http}")

    asyncio.run(story())
    # The refusal itself: 401.
    assert [fault for fault in window.faults if "401" not in fault] == []
