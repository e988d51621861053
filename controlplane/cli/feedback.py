"""feedback: what came of one request, told later."""

from typing import Annotated

import typer

from controlplane.cli.client import ADMIN_OPTION, CALL_TIMEOUT_S, DEFAULT_ADMIN, EXIT_USAGE, actor, call, fail
from controlplane.cli.output import OUTPUT_OPTION, Output, as_dict, emit
from serinus.contract.feedback import Said, said_of
from serinus.v1 import admin_pb2

_WORDS = {"yes": True, "no": False, "true": True, "false": False}


def feedback(
    request_id: Annotated[str, typer.Argument(help="The answer's header x-serinus-request-id, as it came.")],
    score: Annotated[float | None, typer.Option("--score", help="0 (worst) to 1 (best).")] = None,
    metric: Annotated[str, typer.Option("--metric", help="The score's name, if there are several.")] = "",
    thumb: Annotated[str, typer.Option("--thumb", help="up (1) or down (0).")] = "",
    label: Annotated[
        str,
        typer.Option(
            "--label", help="predicted=yes|no,actual=yes|no[,margin=NUMBER]: the model's class and the true one."
        ),
    ] = "",
    event: Annotated[str, typer.Option("--event", help="What users did: clicked, bought.")] = "",
    admin: Annotated[str, ADMIN_OPTION] = DEFAULT_ADMIN,
    output: Annotated[Output, OUTPUT_OPTION] = Output.TABLE,
) -> None:
    """Tell what came of a request, for the version that answered it. Example: serinus feedback ID --thumb up"""
    try:
        said = _said(score, metric, thumb, label, event)
    except ValueError as error:
        raise fail(str(error), code=EXIT_USAGE) from None
    request = admin_pb2.FeedbackRequest(
        request_id=request_id.strip(),
        actor=actor(),
        score=said.score,
        predicted=said.predicted,
        actual=said.actual,
        margin=said.margin,
        event=said.event,
        metric=said.metric,
    )
    response = call(admin, lambda stub: stub.Feedback(request, timeout=CALL_TIMEOUT_S))
    if output is not Output.TABLE:
        emit(as_dict(response), output)
        return
    typer.echo(response.text)


def _said(score: float | None, metric: str, thumb: str, label: str, event: str) -> Said:
    """Raises ValueError with what to write."""
    fields: dict[str, object] = {
        "score": score,
        "thumb": thumb or None,
        "event": event or None,
        "metric": metric or None,
    }
    return said_of(fields | {"label": _label(label) if label else None})


def _label(text: str) -> dict[str, object]:
    fields: dict[str, object] = {}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or name in fields:
            raise ValueError("--label is predicted=yes|no,actual=yes|no[,margin=NUMBER]")
        if name == "margin":
            fields[name] = float(value)
        elif value in _WORDS:
            fields[name] = _WORDS[value]
        else:
            raise ValueError(f"--label: {name} is yes or no")
    return fields
