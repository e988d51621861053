"""What an answer tells the client beside what the server said: the version, and the id by which feedback finds it."""

from controlplane.manifest.schema import ServiceSpec
from serinus.contract import headers
from serinus.envoywire.ext_proc_pb2 import HeaderValue, HeaderValueOption

# envoy.config.core.v3.HeaderValueOption.HeaderAppendAction
_OVERWRITE_IF_EXISTS_OR_ADD = 2


def version_header(version: str) -> HeaderValueOption:
    return _header(headers.VERSION, version)


def id_headers(spec: ServiceSpec) -> list[HeaderValueOption]:
    """Of a service with feedback; the answers of others carry Envoy's own id, as all routes say together."""
    return [_header(headers.REQUEST_ID, headers.FEEDBACK_ID_FORMAT)] if spec.feedback is not None else []


def _header(name: str, value: str) -> HeaderValueOption:
    """It replaces what the upstream may have sent under that name."""
    return HeaderValueOption(header=HeaderValue(key=name, value=value), append_action=_OVERWRITE_IF_EXISTS_OR_ADD)
