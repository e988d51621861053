"""Files of recorded counts: both forms give the same rows, and what is refused is refused with its line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.evidence.errors import CountsError
from controlplane.evidence.recorded import RecordedSlot
from controlplane.evidence.recorded_file import read

HEADER = "slot,baseline_n,baseline_k,candidate_n,candidate_k"
ROWS = [RecordedSlot(7, 90, 0, 10, 1), RecordedSlot(3, 91, 1, 9, 0)]


def test_a_csv_is_read_in_any_order_of_columns_with_gaps_marks_and_line_ends_as_tables_write_them() -> None:
    assert read("f", f"{HEADER}\n7,90,0,10,1\n\n3,91,1,9,0\n") == ROWS
    assert (
        read("f", "\ufeffcandidate_k, slot ,baseline_n,baseline_k,candidate_n\r\n1,7,90,0.0,10\r\n0,3,91,1,9") == ROWS
    )
    assert read("f", f"{HEADER},weight_bp\n1,2,0,3,0,\n2,2,0,3,0,1000.0\n") == [
        RecordedSlot(1, 2, 0, 3, 0),
        RecordedSlot(2, 2, 0, 3, 0, 1000),
    ]
    assert read("f", HEADER) == []


def test_json_is_a_list_of_objects_or_one_object_a_line() -> None:
    objects = [
        {"slot": 7, "baseline_n": 90, "baseline_k": 0, "candidate_n": 10, "candidate_k": 1},
        {"slot": 3, "baseline_n": 91, "baseline_k": 1, "candidate_n": 9, "candidate_k": 0, "weight_bp": None},
    ]
    assert read("f", json.dumps(objects)) == ROWS
    assert read("f", json.dumps(objects, indent=2)) == ROWS
    assert read("f", "\n".join(map(json.dumps, objects))) == ROWS
    assert read("f", "[]") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "f:1: the file is empty"),
        ("slot,baseline_n\n", "f:1: column baseline_k is missing"),
        (HEADER.replace("slot", "slots"), "f:1: unknown column 'slots'; next: did you mean slot?"),
        (HEADER + ",slot", "f:1: a column stands twice"),
        (f"{HEADER}\n1,1,0,1", "f:2: 4 values under 5 columns"),
        (f"{HEADER}\n1,1,0,1,0\n2,-1,0,1,0", "f:3: 0 failures of -1 of the baseline cannot be"),
        (f"{HEADER}\n1,1,0,1,2", "f:2: 2 failures of 1 of the candidate cannot be"),
        (f"{HEADER}\n1,nan,0,1,0", "f:2: baseline_n is 'nan'"),
        (f"{HEADER}\n1,1.5,0,1,0", "f:2: baseline_n is '1.5'"),
        (f"{HEADER}\n1,٣,0,1,0", "f:2: baseline_n is '٣'"),
        (f"{HEADER}\n1,{'9' * 5000},0,1,0", "f:2: baseline_n is"),
        (f"{HEADER}\n5,1,0,1,0\n\n4,1,0,1,0\n5,1,0,1,0", "f:5: slot 5 came before, in line 2"),
        (f"{HEADER},weight_bp\n1,1,0,1,0,10001", "f:2: weight 10001 is outside"),
        (f'{HEADER}\n1,"1,0,1,0', "f:2: "),
        ('[{"slot": 1}]', "f:1: column baseline_n is missing"),
        (
            '[\n{"slot": NaN, "baseline_n": 1, "baseline_k": 0, "candidate_n": 1, "candidate_k": 0}]',
            "f:2: slot is 'NaN'",
        ),
        ('{"slot": true, "baseline_n": 1, "baseline_k": 0, "candidate_n": 1, "candidate_k": 0}', "f:1: slot is 'True'"),
        ('[\n\n{"slot": 1, "slot": 1}]', "f:3: no JSON object: a name stands twice"),
        ("[{}\n{}]", "f:1: column slot is missing"),
        ("[1]", "f:1: not a list of objects"),
        ("[\n", "f:2: the list does not end"),
        ("[]\n[]", "f:2: not a list of objects"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(text: str, says: str) -> None:
    with pytest.raises(CountsError) as error:
        read("f", text)
    assert str(error.value).startswith(says)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='0123456789,.-eE+naN\n\r"[]{}: slot_bekcdiw', max_size=120), st.booleans())
def test_whatever_a_file_holds_it_is_rows_or_a_typed_error(text: str, has_header: bool) -> None:
    try:
        rows = read("f", (HEADER + "\n" if has_header else "") + text)
    except CountsError:
        return
    assert all(isinstance(row, RecordedSlot) for row in rows)
