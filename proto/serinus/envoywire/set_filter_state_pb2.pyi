from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DataSource(_message.Message):
    __slots__ = ("inline_string",)
    INLINE_STRING_FIELD_NUMBER: _ClassVar[int]
    inline_string: str
    def __init__(self, inline_string: _Optional[str] = ...) -> None: ...

class SubstitutionFormatString(_message.Message):
    __slots__ = ("text_format_source",)
    TEXT_FORMAT_SOURCE_FIELD_NUMBER: _ClassVar[int]
    text_format_source: DataSource
    def __init__(self, text_format_source: _Optional[_Union[DataSource, _Mapping]] = ...) -> None: ...

class FilterStateValue(_message.Message):
    __slots__ = ("object_key", "format_string", "factory_key")
    OBJECT_KEY_FIELD_NUMBER: _ClassVar[int]
    FORMAT_STRING_FIELD_NUMBER: _ClassVar[int]
    FACTORY_KEY_FIELD_NUMBER: _ClassVar[int]
    object_key: str
    format_string: SubstitutionFormatString
    factory_key: str
    def __init__(self, object_key: _Optional[str] = ..., format_string: _Optional[_Union[SubstitutionFormatString, _Mapping]] = ..., factory_key: _Optional[str] = ...) -> None: ...

class Config(_message.Message):
    __slots__ = ("on_request_headers",)
    ON_REQUEST_HEADERS_FIELD_NUMBER: _ClassVar[int]
    on_request_headers: _containers.RepeatedCompositeFieldContainer[FilterStateValue]
    def __init__(self, on_request_headers: _Optional[_Iterable[_Union[FilterStateValue, _Mapping]]] = ...) -> None: ...
