"""Compressed request bodies, opened within a limit: a small bomb never becomes a large buffer."""

import zstandard
from isal import isal_zlib

from collector.segments import Encoding
from pyrometer.errors import DecodeError

_GZIP_WINDOW_BITS = 31
# Four bytes of zstd may stand for 128 KiB, so a chunk for 8 MiB: what a bomb can cost over the limit.
_ZSTD_CHUNK_BYTES = 256
_ZSTD_WINDOW_BYTES_MAX = 1 << 27


class TooLargeError(DecodeError):
    """The body is larger than the limit once decompressed."""


def decompress(payload: bytes, encoding: Encoding, size_max: int) -> bytes:
    """
    Return the body.

    Raises:
        TooLargeError: If it has more than *size_max* bytes; no more than that is ever held.
        DecodeError: If it is damaged, cut, or followed by something else.
    """
    if encoding is Encoding.GZIP:
        return _gunzip(payload, size_max)
    if encoding is Encoding.ZSTD:
        return _unzstd(payload, size_max)
    if len(payload) > size_max:
        raise _too_large(size_max)
    return payload


def _gunzip(payload: bytes, size_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    rest = payload
    while rest:  # a gzip file may have several members
        member = isal_zlib.decompressobj(_GZIP_WINDOW_BITS)
        try:
            part = member.decompress(rest, size_max - size + 1)
        except isal_zlib.error as error:  # type: ignore[misc]  # the stub names it an instance
            raise DecodeError(f"the body is not valid gzip: {error}") from error
        size += len(part)
        if size > size_max:
            raise _too_large(size_max)
        if not member.eof:
            raise DecodeError("the body is not valid gzip: it is cut off")
        parts.append(part)
        rest = member.unused_data
    if not parts:
        raise DecodeError("the body is not valid gzip: it is empty")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _unzstd(payload: bytes, size_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    position = 0
    frame = None
    try:
        while position < len(payload):
            if frame is None:  # a body may have several frames
                frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX).decompressobj()
            chunk = payload[position : position + _ZSTD_CHUNK_BYTES]
            part = frame.decompress(chunk)
            size += len(part)
            if size > size_max:
                raise _too_large(size_max)
            parts.append(part)
            position += len(chunk)
            if frame.eof:
                position -= len(frame.unused_data)
                frame = None
    except zstandard.ZstdError as error:
        raise DecodeError(f"the body is not valid zstd: {error}") from error
    if frame is not None or not payload:
        raise DecodeError("the body is not valid zstd: it is cut off")
    return b"".join(parts)


def _too_large(size_max: int) -> TooLargeError:
    return TooLargeError(f"the body has more than {size_max} bytes once decompressed")
