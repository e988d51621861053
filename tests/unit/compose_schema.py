"""The part of the Compose Specification that docker-compose.yml may use: keys and the shapes of their values.

A key that is not here is a fault: either a slip of the pen, or to be added with the shape that the specification gives.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Shape = Callable[[Any], bool]


def text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def switch(value: Any) -> bool:
    return isinstance(value, bool)


def texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def text_map(value: Any) -> bool:
    """Values are quoted: a bare `true` or number means something else to another reader."""
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def one_of(*words: str) -> Shape:
    return lambda value: value in words


def matching(pattern: str) -> Shape:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def each(shape: Shape) -> Shape:
    return lambda value: isinstance(value, list) and all(shape(item) for item in value)


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape]) -> Shape:
    def check(value: Any) -> bool:
        known = {**required, **optional}
        return (
            isinstance(value, dict)
            and set(required) <= set(value) <= set(known)
            and all(known[key](item) for key, item in value.items())
        )

    return check


def map_of(shape: Shape) -> Shape:
    return lambda value: isinstance(value, dict) and all(shape(item) for item in value.values())


def either(*shapes: Shape) -> Shape:
    return lambda value: any(shape(value) for shape in shapes)


DURATION = matching(r"\d+(?:ms|s|m|h)")
CONDITION = one_of("service_started", "service_healthy", "service_completed_successfully")
DEPENDENCIES = either(texts, map_of(record({"condition": CONDITION}, {"restart": switch})))
HEALTHCHECK = record(
    {"test": texts}, {"interval": DURATION, "timeout": DURATION, "retries": lambda value: type(value) is int}
)
SERVICE: dict[str, Shape] = {
    "image": matching(r"[a-z0-9./-]+:[A-Za-z0-9._-]+"),
    "build": record({"context": text}, {"dockerfile": text, "dockerfile_inline": text}),
    "user": matching(r"\d+:\d+"),
    "read_only": switch,
    "tmpfs": texts,
    "environment": text_map,
    "cap_drop": texts,
    "security_opt": texts,
    "entrypoint": texts,
    "command": texts,
    "volumes": each(matching(r"[\w./-]+:/[\w./-]+(?::ro)?")),
    "ports": each(matching(r"127\.0\.0\.1:\d+:\d+")),
    "depends_on": DEPENDENCIES,
    "healthcheck": HEALTHCHECK,
    "network_mode": matching(r"service:[a-z0-9-]+"),
    "profiles": texts,
    "restart": one_of("no", "always", "on-failure", "unless-stopped"),
}
TOP: dict[str, Shape] = {
    "name": matching(r"[a-z0-9][a-z0-9_-]*"),
    "services": map_of(lambda value: isinstance(value, dict)),
    "volumes": map_of(lambda value: value is None),
}


def faults(document: Mapping[str, Any]) -> Iterator[str]:
    """Every key that is unknown or whose value has not its shape."""
    yield from _faults("", {key: value for key, value in document.items() if not key.startswith("x-")}, TOP)
    for name, service in document.get("services", {}).items():
        yield from _faults(f"services.{name}.", service, SERVICE)
        if not {"image", "build"} & set(service):
            yield f"services.{name}: neither image nor build"
        if "network_mode" in service and "ports" in service:
            yield f"services.{name}.ports: belong to the service whose network it shares"


def _faults(prefix: str, found: Mapping[str, Any], known: Mapping[str, Shape]) -> Iterator[str]:
    for key, value in found.items():
        if key not in known:
            yield f"{prefix}{key}: unknown key"
        elif not known[key](value):
            yield f"{prefix}{key}: {value!r} has not the shape of this key"
