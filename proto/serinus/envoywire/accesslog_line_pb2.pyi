from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MergedMessage(_message.Message):
    __slots__ = ("http_logs",)
    HTTP_LOGS_FIELD_NUMBER: _ClassVar[int]
    http_logs: MergedEntries
    def __init__(self, http_logs: _Optional[_Union[MergedEntries, _Mapping]] = ...) -> None: ...

class MergedEntries(_message.Message):
    __slots__ = ("log_entry",)
    LOG_ENTRY_FIELD_NUMBER: _ClassVar[int]
    log_entry: MergedEntry
    def __init__(self, log_entry: _Optional[_Union[MergedEntry, _Mapping]] = ...) -> None: ...

class MergedEntry(_message.Message):
    __slots__ = ("common_properties",)
    COMMON_PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    common_properties: MergedCommon
    def __init__(self, common_properties: _Optional[_Union[MergedCommon, _Mapping]] = ...) -> None: ...

class MergedCommon(_message.Message):
    __slots__ = ("custom_tags",)
    CUSTOM_TAGS_FIELD_NUMBER: _ClassVar[int]
    custom_tags: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, custom_tags: _Optional[_Iterable[bytes]] = ...) -> None: ...

class CountedMessage(_message.Message):
    __slots__ = ("http_logs",)
    HTTP_LOGS_FIELD_NUMBER: _ClassVar[int]
    http_logs: CountedEntries
    def __init__(self, http_logs: _Optional[_Union[CountedEntries, _Mapping]] = ...) -> None: ...

class CountedEntries(_message.Message):
    __slots__ = ("log_entry",)
    LOG_ENTRY_FIELD_NUMBER: _ClassVar[int]
    log_entry: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, log_entry: _Optional[_Iterable[bytes]] = ...) -> None: ...

class LineMessage(_message.Message):
    __slots__ = ("http_logs",)
    HTTP_LOGS_FIELD_NUMBER: _ClassVar[int]
    http_logs: LineEntries
    def __init__(self, http_logs: _Optional[_Union[LineEntries, _Mapping]] = ...) -> None: ...

class LineEntries(_message.Message):
    __slots__ = ("log_entry",)
    LOG_ENTRY_FIELD_NUMBER: _ClassVar[int]
    log_entry: _containers.RepeatedCompositeFieldContainer[LineEntry]
    def __init__(self, log_entry: _Optional[_Iterable[_Union[LineEntry, _Mapping]]] = ...) -> None: ...

class LineEntry(_message.Message):
    __slots__ = ("common_properties",)
    COMMON_PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    common_properties: LineCommon
    def __init__(self, common_properties: _Optional[_Union[LineCommon, _Mapping]] = ...) -> None: ...

class LineCommon(_message.Message):
    __slots__ = ("custom_tags",)
    CUSTOM_TAGS_FIELD_NUMBER: _ClassVar[int]
    custom_tags: bytes
    def __init__(self, custom_tags: _Optional[bytes] = ...) -> None: ...
