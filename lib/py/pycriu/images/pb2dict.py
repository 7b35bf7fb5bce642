# SPDX-License-Identifier: LGPL-2.1-only
"""Records as dictionaries, and back. Nothing of a record is lost: what these messages do not know, as a field or value
of a later version, is under the key UNKNOWN, and is encoded again."""
import base64
import quopri
import struct

from google.protobuf.descriptor import FieldDescriptor as FD

from . import pretty as forms

UNKNOWN = "unknown_fields"
# Bytes that are a name: readable, with =XX for others.
NAMES = {("unix_sk_entry", "name")}


def _varint(value):
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _unknown_set(message):
    if hasattr(message, "UnknownFields"):
        return message.UnknownFields()
    from google.protobuf.unknown_fields import UnknownFieldSet
    return UnknownFieldSet(message)


def _unknown_bytes(fields):
    out = b""
    for field in fields:
        kind, data = field.wire_type, field.data
        out += _varint(field.field_number << 3 | kind)
        if kind == 0:
            out += _varint(data)
        elif kind == 1:
            out += struct.pack("<Q", data)
        elif kind == 2:
            out += _varint(len(data)) + data
        elif kind == 3:
            out += _unknown_bytes(data) + _varint(field.field_number << 3 | 4)
        elif kind == 5:
            out += struct.pack("<I", data)
    return out


def _write(field, key, value, pretty):
    if field.type == FD.TYPE_MESSAGE:
        return pb2dict(value, pretty)
    if field.type == FD.TYPE_ENUM:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    if field.type == FD.TYPE_BYTES:
        if key in NAMES:
            return quopri.encodestring(value).decode()
        return base64.encodebytes(value).decode()
    if pretty and key in forms.FORMATS:
        return forms.FORMATS[key].write(value)
    return value


def pb2dict(message, pretty=False, is_hex=False):
    """The fields that are set, in the order of their numbers."""
    result = {}
    for field, value in message.ListFields():
        key = (field.containing_type.name, field.name)
        if field.label != FD.LABEL_REPEATED:
            result[field.name] = _write(field, key, value, pretty)
        elif pretty and key in forms.ADDRESSES:
            result[field.name] = forms.Address.write(value)
        else:
            result[field.name] = [_write(field, key, item, pretty) for item in value]
    unknown = _unknown_bytes(_unknown_set(message))
    if unknown:
        result[UNKNOWN] = base64.encodebytes(unknown).decode()
    return result


def _read(field, key, value):
    if field.type == FD.TYPE_ENUM:
        return field.enum_type.values_by_name[value].number if value in field.enum_type.values_by_name else forms.number(value)
    if field.type == FD.TYPE_BYTES:
        return quopri.decodestring(value) if key in NAMES else base64.b64decode(value)
    if field.type == FD.TYPE_BOOL:
        return bool(value)
    if field.type == FD.TYPE_STRING:
        return value
    if key in forms.FORMATS:
        return forms.FORMATS[key].read(value)
    return forms.number(value)


def _fill(message, field, key, value):
    if field.label == FD.LABEL_REPEATED:
        target = getattr(message, field.name)
        if field.type == FD.TYPE_MESSAGE:
            for item in value:
                dict2pb(item, target.add())
        elif key in forms.ADDRESSES:
            target.extend(forms.Address.read(value))
        else:
            target.extend(_read(field, key, item) for item in value)
    elif field.type == FD.TYPE_MESSAGE:
        getattr(message, field.name).SetInParent()
        dict2pb(value, getattr(message, field.name))
    else:
        setattr(message, field.name, _read(field, key, value))


def dict2pb(values, message):
    """Fills a message. A key that is no field of it is an error: it would be lost."""
    fields = message.DESCRIPTOR.fields_by_name
    for name, value in values.items():
        if name == UNKNOWN:
            message.MergeFromString(base64.b64decode(value))
            continue
        if name not in fields:
            raise ValueError(f"{message.DESCRIPTOR.name} has no field {name}")
        key = (message.DESCRIPTOR.name, name)
        try:
            _fill(message, fields[name], key, value)
        except (KeyError, TypeError, ValueError) as e:
            raise ValueError(f"{key[0]}.{name}: {value!r}: {e}") from e
    return message
