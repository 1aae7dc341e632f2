"""
The message of Pyroscope's push, built from its description.

Source: grafana/pyroscope, api/push/v1/push.proto.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_MESSAGES: Final = {
    "LabelPair": (("name", 1, _FIELD.TYPE_STRING, ""), ("value", 2, _FIELD.TYPE_STRING, "")),
    "RawSample": (("raw_profile", 1, _FIELD.TYPE_BYTES, ""), ("ID", 2, _FIELD.TYPE_STRING, "")),
    "RawProfileSeries": (
        ("labels", 1, _FIELD.TYPE_MESSAGE, "LabelPair"),
        ("samples", 2, _FIELD.TYPE_MESSAGE, "RawSample"),
    ),
    "PushRequest": (("series", 1, _FIELD.TYPE_MESSAGE, "RawProfileSeries"),),
}


def _build() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="pyroscope_push.proto", package="push.v1", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, target in fields:
            added = message.field.add(name=field, number=number, type=kind, label=_FIELD.LABEL_OPTIONAL)
            if target:
                added.type_name, added.label = f".push.v1.{target}", _FIELD.LABEL_REPEATED
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("push.v1.PushRequest"))


# The message's class; it has its own pool, so that it cannot clash with one of another library.
PushRequest: Final = _build()
