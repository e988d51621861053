import json

from controlplane.simulate.head_to_head import Result, Setting
from controlplane.simulate.report import table, values

SETTING = Setting("steady", 100.0, 0.005, 0.02, 200, 1)
RESULTS = [
    Result("serinus", 1.0, 0.0, 0.0, 393.0, 39.0, 0.0, None),
    Result("argo", 0.0, 0.0, 0.0, None, None, 1.0, 540.0),
]


def test_the_table_says_what_was_run_and_has_a_line_for_each_judge() -> None:
    lines = table(SETTING, RESULTS).splitlines()
    assert "world steady, 100 requests/s, errors 0.500% -> 2.000%" in lines[0]
    assert lines[2].split() == ["serinus", "1.0000", "0.0000", "0.0000", "393", "39", "0.0000", "-"]
    assert lines[3].split()[-4:] == ["-", "1.0000", "540", "s"]
    assert "falsely rolled back" in table(Setting("steady", 1, 0.01, 0.01, 1, 1), RESULTS)


def test_values_are_json() -> None:
    assert json.loads(json.dumps(values(SETTING, RESULTS)))["results"][0]["median_requests"] == 393.0
