"""Values -> HTML by the templates of this package. Every value is escaped: it may be anything that a manifest, a proxy
or a person has said.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from controlplane.dashboard.web.page import RolloutPage
from controlplane.dashboard.web.wire import RolloutLine, ServiceLine

ROLLOUT_PARTS = ("head", "steps", "metrics", "slices", "events")
HOME_PARTS = ("running", "ended", "services")
ENDED_SHOWN = 20


def _utc(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%H:%M:%S} UTC"


def environment() -> Environment:
    """The templates, read once."""
    made = Environment(
        loader=PackageLoader("controlplane.dashboard.web"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
    )
    made.filters["utc"] = _utc
    return made


class Renderer:
    def __init__(self) -> None:
        made = environment()
        self._pages = {name: made.get_template(f"{name}.html") for name in _PAGES}
        self._rollout = made.get_template("rollout_parts.html").module
        self._home = made.get_template("home_parts.html").module

    def page(self, name: str, **values: object) -> str:
        """A whole page; what all share and is not given is empty."""
        return self._pages[name].render({"csrf": "", "who": "", "feed": "", **values})

    def rollout_sections(self, page: RolloutPage) -> dict[str, str]:
        return {name: getattr(self._rollout, name)(page) for name in ROLLOUT_PARTS}

    def home_sections(self, rollouts: Sequence[RolloutLine], services: Sequence[ServiceLine]) -> dict[str, str]:
        """Who waits for a person comes first, then the newest."""
        running = [row for row in rollouts if not row.is_terminal]
        ended = [row for row in rollouts if row.is_terminal]
        running.sort(key=lambda row: (not row.needs_person, row.tone == "calm", -row.at_ms))
        ended.sort(key=lambda row: -row.at_ms)
        home = self._home
        return {
            "running": home.running(running),  # type: ignore[attr-defined]
            "ended": home.ended(ended[:ENDED_SHOWN], max(0, len(ended) - ENDED_SHOWN)),  # type: ignore[attr-defined]
            "services": home.services(services),  # type: ignore[attr-defined]
        }

    def service(self, row: ServiceLine, **values: object) -> str:
        """`asked`, `place`, `problem`: the form's; `history`, `curves`: plots."""
        return self.page("service", row=row, **values)


_PAGES = ("home", "rollout", "service", "login", "problem")
