"""Makes one stress test: a `Load` for as long as was asked, and its report."""

import asyncio

from controlplane.local.demo.load import Load
from controlplane.local.stress.ask import StressAsk, checked, plan_of
from controlplane.local.stress.report import StressReport, report_of


async def stress(ask: StressAsk) -> StressReport:
    """Raises StressError before anything is sent. Cancelled, it stops at once and waits for nothing."""
    load = Load("", plan_of(checked(ask)))
    async with load:
        await asyncio.sleep(ask.duration_s)
    return report_of(load.requests, not_sent=load.not_sent)
