"""Compresses request bodies: gzip, which every OTLP receiver takes, or zstd, which costs less, if it is here."""

import contextlib
import gzip
import importlib
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

_GZIP_LEVEL: Final = 5
_ZSTD_LEVEL: Final = 3
# Python 3.14 brings the first; the second is a package that the agent does not install: it takes 24 MB.
_ZSTD_MODULES: Final = ("compression.zstd", "zstandard")


class Compression(StrEnum):
    """How a body is compressed: the word of the Content-Encoding header, empty for not at all."""

    NONE = ""
    GZIP = "gzip"
    ZSTD = "zstd"


class _Zstd(NamedTuple):
    compress: Callable[[bytes, int], bytes]
    decompress: Callable[[bytes], bytes]


def compress(body: bytes, compression: Compression) -> bytes:
    """Return a body compressed."""
    if compression is Compression.GZIP:
        return gzip.compress(body, _GZIP_LEVEL, mtime=0)
    if compression is Compression.ZSTD:
        return _zstd().compress(body, _ZSTD_LEVEL)
    return body


def decompress(body: bytes, compression: Compression) -> bytes:
    """Return a body as it was; only for what this program has compressed itself: there is no limit."""
    if compression is Compression.GZIP:
        return gzip.decompress(body)
    if compression is Compression.ZSTD:
        return _zstd().decompress(body)
    return body


def has_zstd() -> bool:
    """Return whether zstd can be had here."""
    try:
        _zstd()
    except ModuleNotFoundError:
        return False
    return True


@lru_cache(maxsize=1)
def _zstd() -> _Zstd:
    for name in _ZSTD_MODULES:
        with contextlib.suppress(ModuleNotFoundError):
            module = importlib.import_module(name)
            return _Zstd(module.compress, module.decompress)
    raise ModuleNotFoundError("neither Python 3.14 nor the package zstandard is here")
