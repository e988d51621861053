"""Scores come back, failures are counted, and what is too much is left out."""

import asyncio
from collections.abc import Callable

from extproc.evaluator.runner import WAITING_MAX, Evaluator
from extproc.outcome.rated import Rated
from extproc.telemetry.catalogue import Catalogue


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if is_so():
            return
        await asyncio.sleep(0)
    raise AssertionError("not all were asked")


def played(answers: list[str], rate: Callable[[str], object]) -> tuple[list[tuple[str, float]], dict[str, int]]:
    """What was told, and the counts by result, once everything was asked."""
    counts, told = Catalogue().evaluations, []

    async def ask(rated: Rated) -> object:
        return rate(rated.answer)

    async def story() -> None:
        evaluator = Evaluator(ask, lambda request_id, score: told.append((request_id, score)), counts)
        for number, answer in enumerate(answers):
            evaluator.offer(Rated(f"r{number}", "", answer))
        running = asyncio.create_task(evaluator.run())
        await until(lambda: sum(counts.values.values()) == len(answers))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())
    return sorted(told), {result: count for (result,), count in counts.values.items()}


def rate(answer: str) -> object:
    if answer == "raise":
        raise RuntimeError("a secret of the answer")
    return {"good": 1, "poor": {"score": 0}, "odd": "high"}.get(answer)


def test_what_the_evaluator_says_is_told_and_its_faults_are_counted() -> None:
    told, counts = played(["good", "poor", "odd", "raise", "whatever"], rate)
    assert told == [("r0", 1.0), ("r1", 0.0)]
    assert counts == {"scored": 2, "failed": 2, "no_opinion": 1}


def test_what_is_too_much_is_left_out() -> None:
    told, counts = played(["good"] * (WAITING_MAX + 5), rate)
    assert (len(told), counts) == (WAITING_MAX, {"scored": WAITING_MAX, "dropped": 5})
