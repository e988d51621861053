"""Manifest text -> typed objects, or every problem at once with file and line. Nothing is changed on an error."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from controlplane.manifest.alert_rule import AlertRuleSpec
from controlplane.manifest.document import Document, Path, parse
from controlplane.manifest.errors import ManifestError, Problem
from controlplane.manifest.field import Name, Spec
from controlplane.manifest.proxy_group import ProxyGroupSpec
from controlplane.manifest.schema import API_VERSION, RolloutSpec, ServiceSpec

AnySpec = ServiceSpec | RolloutSpec | ProxyGroupSpec | AlertRuleSpec
KINDS: dict[str, type[ServiceSpec] | type[RolloutSpec] | type[ProxyGroupSpec] | type[AlertRuleSpec]] = {
    "Service": ServiceSpec,
    "Rollout": RolloutSpec,
    "ProxyGroup": ProxyGroupSpec,
    "AlertRule": AlertRuleSpec,
}
KINDS_PLANNED = ("Experiment",)
M = TypeVar("M", bound=BaseModel)
TOP_KEYS = ("apiVersion", "kind", "metadata", "spec")


class _Metadata(Spec):
    name: Name


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object. `data` is the plain spec as written (for the store); `document` gives lines for later problems."""

    kind: str
    name: str
    spec: AnySpec
    data: dict[str, Any]
    document: Document

    def problem(self, path: Path, message: str) -> Problem:
        """A problem at a path below `spec`, for the rules that look across objects."""
        return Problem(self.document.file, self.document.line_of(("spec", *path)), _dotted(("spec", *path)), message)


# Names and texts.
TextFiles = Sequence[tuple[str, str]]


def load(files: Iterable[tuple[str, str]], *, auto_steps: Sequence[str] = ()) -> list[Manifest]:
    """Read (name, text) pairs. Raises ManifestError holding every problem found.

    `auto_steps` stand for `steps: auto` of rollouts, of which `Manifest.data` still says so: who plans a rollout finds
    the list with them in place. Without, `auto` is refused.
    """
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    for file, text in files:
        try:
            documents = parse(file, text)
        except ManifestError as error:
            problems.extend(error.problems)
            continue
        for document in documents:
            found = _object(document, auto_steps)
            problems.extend(found) if isinstance(found, list) else manifests.append(found)
    problems.extend(_repeated(manifests))
    if problems:
        raise ManifestError(problems)
    return manifests


def spec_of(kind: str, data: dict[str, Any]) -> AnySpec:
    """A spec from stored plain data that was accepted before. Raises ValidationError if this version refuses it."""
    return KINDS[kind].model_validate(data)


def _repeated(manifests: list[Manifest]) -> list[Problem]:
    seen: dict[tuple[str, str], Manifest] = {}
    problems = []
    for manifest in manifests:
        first = seen.setdefault((manifest.kind, manifest.name), manifest)
        if first is not manifest:
            where = f"{first.document.file}:{first.document.line}"
            line = manifest.document.line_of(("metadata", "name"))
            message = f"{manifest.kind} {manifest.name} is defined twice; the first is at {where}"
            problems.append(Problem(manifest.document.file, line, "metadata.name", message))
    return problems


def _object(document: Document, auto_steps: Sequence[str]) -> Manifest | list[Problem]:
    data = document.data
    problems = [_problem(document, (key,), _unknown_key(key, TOP_KEYS)) for key in data if key not in TOP_KEYS]
    if data.get("apiVersion") != API_VERSION:
        problems.append(_problem(document, ("apiVersion",), f"must be {API_VERSION}, is {data.get('apiVersion')!r}"))
    kind = data.get("kind")
    if kind in KINDS_PLANNED:
        problems.append(_problem(document, ("kind",), f"{kind} is not built yet in this version"))
    elif kind not in KINDS:
        problems.append(_problem(document, ("kind",), f"unknown kind {kind!r}; known: {', '.join(KINDS)}"))
    metadata = _validated(document, _Metadata, data.get("metadata"), "metadata", problems)
    if kind not in KINDS:
        return problems
    value = data.get("spec")
    if auto_steps and kind == "Rollout" and isinstance(value, dict) and value.get("steps") == "auto":
        value = {**value, "steps": list(auto_steps)}
    spec = _validated(document, KINDS[kind], value, "spec", problems)
    if problems or spec is None or metadata is None:
        return problems
    return Manifest(kind=kind, name=metadata.name, spec=spec, data=data["spec"], document=document)


def _validated(document: Document, model: type[M], value: object, key: str, problems: list[Problem]) -> M | None:
    if not isinstance(value, dict):
        problems.append(_problem(document, (key,), "is missing" if value is None else "must be a mapping"))
        return None
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems.extend(_from_pydantic(document, model, key, detail) for detail in error.errors())
        return None


def _from_pydantic(document: Document, model: type[BaseModel], key: str, detail: ErrorDetails) -> Problem:
    path = _known_part(document, (key, *detail["loc"]))
    if detail["type"] == "extra_forbidden":
        return _problem(document, path, _unknown_key(str(path[-1]), _keys_beside(model, path[1:-1])))
    if detail["type"] == "missing":
        return _problem(
            document,
            path[:-1] if path[-1:] == detail["loc"][-1:] else path,
            f"`{detail['loc'][-1]}` is missing",
        )
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return _problem(document, path, message)


def _known_part(document: Document, path: tuple[str | int, ...]) -> Path:
    """A pydantic location without the parts that are not in the document (tags of unions, defaults)."""
    kept: Path = ()
    for part in path:
        if (*kept, part) in document.lines:
            kept = (*kept, part)
    return kept or path[:1]


def _keys_beside(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """The keys that may stand in the mapping at `path` below a model."""
    is_name = False
    for index, part in enumerate(path):
        if isinstance(part, int) or is_name:
            is_name = False
            continue
        field = next((f for n, f in model.model_fields.items() if (f.alias or n) == part), None)
        below = _models_in(field.annotation) if field else []
        if not below:
            return ()
        # Of several that may stand there, the one that has what follows.
        after = next((each for each in path[index + 1 :] if isinstance(each, str)), "")
        model = next((each for each in below if after in _keys_of(each)), below[0])
        is_name = field is not None and getattr(field.annotation, "__origin__", None) is dict
    return _keys_of(model)


def _keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    arguments = getattr(annotation, "__args__", ())
    return [model for argument in arguments for model in _models_in(argument)]


def _unknown_key(key: str, known: Iterable[str]) -> str:
    known = tuple(known)
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
    return f"unknown key `{key}`; {hint}"


def _problem(document: Document, path: Path, message: str) -> Problem:
    return Problem(document.file, document.line_of(path), _dotted(path), message)


def _dotted(path: Path) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
