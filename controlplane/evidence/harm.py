"""The harm budget: what excess the *next* weight can afford.

A candidate that fails by d more often than the baseline hurts w'*d of all traffic at weight w'. The budget H bounds
that, so the excess that must be excluded before w' is given is d = H/w'. From d >= 1 on there is nothing to show: even
a candidate that fails every request stays within the budget.
"""

from serinus.contract.weight import format_bp

# Stands for "nothing to show": above any evidence that could be asked for (alpha 1e-400), and finite in JSON.
NOTHING_TO_SHOW_LOG_E = 999.0


def excess_limit(budget_bp: int, next_weight_bp: int | None) -> float | None:
    """The excess rate d, 0 < d < 1, to exclude before the next weight; None when there is nothing to show."""
    if next_weight_bp is None or next_weight_bp <= budget_bp:
        return None
    return budget_bp / next_weight_bp


def limit_words(budget_bp: int, next_weight_bp: int | None, *, is_margin: bool = False) -> str:
    """The limit for people. `is_margin`: the budget is the guardrail's own margin, in percentage points."""
    if next_weight_bp is None:
        return "no limit: last step"
    budget = f"margin {format_bp(budget_bp)[:-1]}pp" if is_margin else f"harm budget {format_bp(budget_bp)}"
    at = f"{budget} at {format_bp(next_weight_bp)}"
    limit = excess_limit(budget_bp, next_weight_bp)
    if limit is None:
        return f"no limit: even a wholly bad candidate stays within the {at}"
    return f"excess under {100 * limit:.3g}pp ({at})"
