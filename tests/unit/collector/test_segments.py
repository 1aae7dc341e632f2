"""Segments of the log: what is read back is what was written, whatever happened to the end of the file."""

from hypothesis import given
from hypothesis import strategies as st

from collector.segments import Encoding, Origin, Record, Segment, new_segment_path, read_records, recover, seal

RECORDS = st.lists(
    st.builds(
        Record,
        payload=st.binary(min_size=1, max_size=200),
        raw_length=st.integers(0, 2**32 - 1),
        encoding=st.sampled_from(Encoding),
        origin=st.none() | st.builds(Origin, st.binary(min_size=16, max_size=16), st.integers(1, 2**63 - 1)),
    ),
    max_size=6,
)


def written(records):
    return b"".join(record.to_bytes() for record in records)


@given(RECORDS)
def test_records_are_read_as_written(records):
    """Payload, length, encoding and origin survive, and the stored length is the real one."""
    data = written(records)
    assert [record for record, _ in read_records(data)] == records
    assert sum(record.stored_length for record in records) == len(data)


@given(RECORDS, st.data())
def test_a_cut_loses_only_the_record_it_cuts(records, data):
    """Of a file cut anywhere, exactly the whole records before the cut are read."""
    content = written(records)
    cut = data.draw(st.integers(0, len(content)))
    whole, length = 0, 0
    for record in records:
        length += record.stored_length
        whole += length <= cut
    assert [record for record, _ in read_records(content[:cut])] == records[:whole]


@given(RECORDS.filter(bool), st.data())
def test_a_changed_byte_ends_the_segment_there(records, data):
    """A damaged record and what follows is not read; what is before it is."""
    content = bytearray(written(records))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    read = [record for record, _ in read_records(bytes(content))]
    assert read == records[: len(read)]
    assert len(read) < len(records)


@given(st.binary(max_size=300))
def test_any_bytes_can_be_read(content):
    """Random bytes give records or none, and no error."""
    for record, end in read_records(content):
        assert record.payload
        assert end <= len(content)


def test_zeros_are_no_records():
    """What a file system leaves at a torn end is cut."""
    assert [record for record, _ in read_records(written([Record(b"a", 1)]) + bytes(4096))] == [Record(b"a", 1)]
    assert list(read_records(bytes(4096))) == []


def test_recovery_cuts_a_torn_end_and_says_how_much(tmp_path):
    """An open segment is cut at its last whole record and sealed; the bytes cut are reported."""
    records = [Record(b"one", 3), Record(b"two", 3)]
    path = new_segment_path(tmp_path)
    path.write_bytes(written(records) + Record(b"torn", 4).to_bytes()[:-1])
    recovered = recover(tmp_path)
    segments = recovered.segments
    assert recovered.cut_bytes == Record(b"torn", 4).stored_length - 1
    assert [segment.records() for segment in segments] == [records]
    assert segments[0].path.suffix == ".sealed"
    assert segments[0].segment_id == path.stem
    assert segments[0].path.stat().st_size == len(written(records))


def test_recovery_tells_damage_from_a_torn_end(tmp_path):
    """A sealed segment was acknowledged whole: what cannot be read of it is damage; what stands before goes on."""
    records = [Record(b"one", 3), Record(b"two", 3), Record(b"three", 5)]
    whole = new_segment_path(tmp_path)
    whole.write_bytes(written(records))
    sealed = seal(whole, len(written(records)))
    flipped = bytearray(sealed.path.read_bytes())
    flipped[records[0].stored_length + records[1].stored_length - 1] ^= 1
    sealed.path.write_bytes(flipped)
    recovered = recover(tmp_path)
    assert (recovered.damaged_bytes, recovered.cut_bytes) == (len(written(records[1:])), 0)
    assert [segment.records() for segment in recovered.segments] == [records[:1]]


def test_recovery_removes_segments_without_a_whole_record(tmp_path):
    """An empty file and one with half a record are gone afterwards."""
    new_segment_path(tmp_path).write_bytes(b"")
    new_segment_path(tmp_path).write_bytes(Record(b"torn", 4).to_bytes()[:-1])
    segments = recover(tmp_path).segments
    assert segments == []
    assert list(tmp_path.iterdir()) == []


def test_recovery_keeps_the_order_of_creation(tmp_path):
    """Segments come back oldest first, sealed and open ones together."""
    paths = [new_segment_path(tmp_path) for _ in range(4)]
    for path in paths:
        path.write_bytes(written([Record(b"x", 1)]))
    seal(paths[2], 14)
    segments = recover(tmp_path).segments
    assert [segment.segment_id for segment in segments] == [path.stem for path in paths]
    assert recover(tmp_path).segments == segments


def test_recovery_says_what_each_sender_has_had_stored(tmp_path):
    """The highest number of each sender, over all segments; a torn record says nothing."""
    one, two = b"1" * 16, b"2" * 16
    records = [Record(b"x", 1, origin=Origin(sender, number)) for sender, number in ((one, 3), (two, 9), (one, 4))]
    new_segment_path(tmp_path).write_bytes(written(records[:2]))
    torn = Record(b"x", 1, origin=Origin(two, 10)).to_bytes()[:-1]
    new_segment_path(tmp_path).write_bytes(written(records[2:]) + torn)
    assert recover(tmp_path).origins == [Origin(two, 9), Origin(one, 4)]


def test_a_segment_is_read_to_its_length(tmp_path):
    """What lies behind the committed length was never acknowledged and is not read."""
    kept, beyond = Record(b"kept", 4), Record(b"beyond", 6)
    path = tmp_path / "x.sealed"
    path.write_bytes(written([kept, beyond]))
    assert Segment(path, kept.stored_length).records() == [kept]
