"""Filters of Envoy 1.40 that read streams themselves, for lanes beside ours. They know tokens and a model's name; of text,
finishes, and errors inside a 200 they know nothing. Written as TypedStruct: our own types know neither.
"""

from typing import Any

from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.google import protobuf
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from controlplane.snapshot.encoding import length_delimited

_PREFIX = "type.googleapis.com/"


def _rule(path: list[str], key: str, kind: str, **more: Any) -> dict[str, Any]:
    present = {"metadata_namespace": "serinus.usage", "key": key, "type": kind}
    return {"rule": {"selectors": [{"key": name} for name in path], "on_present": present}, **more}


_RULES = [
    _rule(["usage", "prompt_tokens"], "input", "NUMBER"),
    _rule(["usage", "completion_tokens"], "output", "NUMBER"),
    _rule(["model"], "model", "STRING", stop_processing_after_matches=1),
]
_PARSER = {
    "name": "envoy.content_parsers.json",
    "typed_config": {
        "@type": _PREFIX + "envoy.extensions.content_parsers.json.v3.JsonContentParser",
        "rules": _RULES,
    },
}
FILTERS = {
    "sse_to_metadata": (
        "envoy.extensions.filters.http.sse_to_metadata.v3.SseToMetadata",
        {"response_rules": {"max_event_size": 65_536, "content_parser": _PARSER}},
    ),
    "ai_protocol_manager": (
        "envoy.extensions.filters.http.ai_protocol_manager.v3.AiProtocolManager",
        {"response_handling": {"token_usage": {"include_unconfigured_routes": True}}},
    ),
}


def reading_filter(name: str) -> hcm.HttpFilter:
    """One of FILTERS, to be put before the router."""
    type_name, value = FILTERS[name]
    struct = ParseDict(value, Struct())
    typed = length_delimited(1, (_PREFIX + type_name).encode()) + length_delimited(2, struct.SerializeToString())
    config = protobuf.Any(type_url=_PREFIX + "xds.type.v3.TypedStruct", value=typed)
    return hcm.HttpFilter(name=f"serinus.{name}", typed_config=config)
