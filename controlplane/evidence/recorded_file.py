"""Files of recorded counts: text to rows, with the line of whatever is refused. Reads no file itself.

CSV: a header `slot,baseline_n,baseline_k,candidate_n,candidate_k[,weight_bp]` in any order, one row a slot; an empty
weight is none. JSON: a list of objects with these names, or one object a line. Numbers are whole (`12`, also `12.0`, as
tables write columns with gaps); what a file says beside that is refused, never guessed.
"""

import csv
import difflib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from controlplane.evidence.errors import CountsError
from controlplane.evidence.recorded import RecordedSlot, RowError, check_rows

COLUMNS = ("slot", "baseline_n", "baseline_k", "candidate_n", "candidate_k")
WEIGHT = "weight_bp"
_KNOWN = (*COLUMNS, WEIGHT)
# Up to 19 digits: more is no count and no second, and int() would take its time over a million of them.
_WHOLE = re.compile(r"([+-]?[0-9]{1,19})(\.0*)?")
_NEXT = f"give the columns {','.join(COLUMNS)} and, if known, {WEIGHT}"


def read(name: str, text: str) -> list[RecordedSlot]:
    """Raises CountsError that begins with NAME:LINE."""
    text = text.removeprefix("\ufeff")
    is_json = text.lstrip()[:1] in ("[", "{")
    rows, lines = [], []
    for line, values in _json(name, text) if is_json else _csv(name, text):
        rows.append(_row(name, line, values))
        lines.append(line)
    try:
        check_rows(rows)
    except RowError as error:
        before = "" if error.first is None else f", in line {lines[error.first]}"
        _refuse(name, lines[error.row], f"{error.what}{before}", "correct the row or leave it out")
    return rows


def _row(name: str, line: int, values: Mapping[str, object]) -> RecordedSlot:
    for key in values:
        if key not in _KNOWN:
            near = difflib.get_close_matches(str(key), _KNOWN, n=1)
            _refuse(name, line, f"unknown column {key!r}", f"did you mean {near[0]}?" if near else _NEXT)
    for column in COLUMNS:
        if column not in values:
            _refuse(name, line, f"column {column} is missing", _NEXT)
    numbers: dict[str, int | None] = {column: _whole(name, line, column, values[column]) for column in COLUMNS}
    weight = values.get(WEIGHT)
    numbers[WEIGHT] = None if weight in (None, "") else _whole(name, line, WEIGHT, weight)
    return RecordedSlot(**numbers)  # type: ignore[arg-type]  # only the weight may be None


def _whole(name: str, line: int, column: str, value: object) -> int:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        text = value.strip() if isinstance(value, str) else str(value)
        found = _WHOLE.fullmatch(text)
        if found is not None:
            return int(found[1])
    return _refuse(name, line, f"{column} is {str(value)[:40]!r}", "give a whole number of at most 19 digits")


def _csv(name: str, text: str) -> Iterator[tuple[int, dict[str, object]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header: list[str] | None = None
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(name, reader.line_num, [cell.strip() for cell in cells])
                continue
            if len(cells) != len(header):
                _refuse(name, reader.line_num, f"{len(cells)} values under {len(header)} columns", _NEXT)
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        _refuse(name, reader.line_num, str(error), _NEXT)
    if header is None:
        _refuse(name, 1, "the file is empty", _NEXT)


def _header(name: str, line: int, header: list[str]) -> list[str]:
    """A file of a header alone holds no evidence, but still has to have the right one."""
    if len(set(header)) != len(header):
        _refuse(name, line, "a column stands twice", _NEXT)
    _row(name, line, dict.fromkeys(header, "0"))
    return header


def _json(name: str, text: str) -> Iterator[tuple[int, dict[str, object]]]:
    """Objects one by one, so that each has its line."""
    at, refuse = 0, _refuser(name, text)
    decoder = json.JSONDecoder(parse_constant=lambda word: word, object_pairs_hook=_pairs)
    is_list, ended, separated = text.lstrip().startswith("["), False, True
    at = _skip(text, 0) + (1 if is_list else 0)
    while (at := _skip(text, at)) < len(text):
        if is_list and text[at] == "]" and not ended:
            ended, at = True, at + 1
            continue
        if is_list and text[at] == "," and not separated:
            separated, at = True, at + 1
            continue
        if ended or text[at] != "{" or not separated:
            refuse(at, "not a list of objects")
        try:
            values, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            refuse(at, f"no JSON object: {error}")
        yield text.count("\n", 0, at) + 1, values
        at, separated = end, not is_list
    if is_list and not ended:
        refuse(len(text), "the list does not end")


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _pairs(pairs: Sequence[tuple[str, Any]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return values


def _refuser(name: str, text: str) -> Callable[[int, str], NoReturn]:
    def refuse(at: int, what: str) -> NoReturn:
        _refuse(name, text.count("\n", 0, at) + 1, what, f"a JSON list of objects: {_NEXT}")

    return refuse


def _refuse(name: str, line: int, what: str, next_step: str) -> NoReturn:
    raise CountsError(f"{name}:{line}: {what}", next_step=next_step)
