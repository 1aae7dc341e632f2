"""Compressed bodies are opened within a limit and refused with one kind of error."""

import contextlib
import gzip
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from collector.bodies import TooLargeError, decompress
from collector.segments import Encoding
from pyrometer.errors import DecodeError

COMPRESS = {Encoding.GZIP: gzip.compress, Encoding.ZSTD: zstandard.compress, Encoding.IDENTITY: bytes}
BOTH = pytest.mark.parametrize("encoding", [Encoding.GZIP, Encoding.ZSTD])


@given(st.binary(max_size=500), st.sampled_from(Encoding))
def test_a_body_comes_back(body, encoding):
    """Whatever it was compressed with, and at exactly its size as limit."""
    assert decompress(COMPRESS[encoding](body), encoding, len(body)) == body


@given(st.binary(min_size=1, max_size=500), st.sampled_from(Encoding))
def test_one_byte_over_the_limit_is_too_large(body, encoding):
    """The limit is of the decompressed size."""
    with pytest.raises(TooLargeError):
        decompress(COMPRESS[encoding](body), encoding, len(body) - 1)


@BOTH
def test_a_bomb_never_becomes_a_large_buffer(encoding):
    """A body of 100 MB behind a few kilobytes costs no more memory than the limit allows, and a little."""
    bomb = COMPRESS[encoding](bytes(100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            decompress(bomb, encoding, 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


@BOTH
def test_several_members_are_one_body(encoding):
    """Concatenated files of either format are read to the end, and the limit holds for their sum."""
    parts = COMPRESS[encoding](b"one") + COMPRESS[encoding](b"two")
    assert decompress(parts, encoding, 6) == b"onetwo"
    with pytest.raises(TooLargeError):
        decompress(parts, encoding, 5)


@BOTH
@given(st.binary(max_size=200))
def test_random_bytes_are_a_decode_error(encoding, body):
    """Nothing else is raised, and what is not refused is a real body."""
    with contextlib.suppress(DecodeError):
        assert len(decompress(body, encoding, 1000)) <= 1000


@BOTH
@given(body=st.binary(min_size=50, max_size=300), data=st.data())
def test_a_cut_body_is_a_decode_error(encoding, body, data):
    """Every missing end is noticed."""
    compressed = COMPRESS[encoding](body)
    cut = data.draw(st.integers(1, len(compressed) - 1))
    with pytest.raises(DecodeError):
        decompress(compressed[:cut], encoding, 1000)
