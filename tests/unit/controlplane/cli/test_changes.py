"""Differences of manifests as people read them."""

import json

from controlplane.cli.changes import difference
from serinus.v1 import admin_pb2


def changed(before: object, after: object) -> str:
    one = admin_pb2.AppliedObject(kind="Service", name="chat", change="configured")
    one.before, one.after = (json.dumps(data) if data else "" for data in (before, after))
    return difference(one)


def test_a_change_is_a_unified_diff_of_yaml() -> None:
    text = changed({"drain": "60s", "hosts": ["a"]}, {"hosts": ["a", "b"], "drain": "60s"})
    assert text.splitlines() == [
        "--- service/chat in force",
        "+++ service/chat in the file",
        "@@ -1,3 +1,4 @@",
        " drain: 60s",
        " hosts:",
        " - a",
        "+- b",
    ]


def test_a_new_object_is_all_added_and_the_order_of_keys_is_no_difference() -> None:
    assert "+drain: 60s" in changed(None, {"drain": "60s"})
    assert changed({"a": 1, "b": 2}, {"b": 2, "a": 1}) == ""
