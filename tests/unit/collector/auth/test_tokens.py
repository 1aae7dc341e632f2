"""Tokens: what is kept of one says nothing of it, and only the whole token is taken."""

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.auth.tokens import Role, add_token, find_token, new_token, read_tokens
from pyrometer.errors import ConfigError


def test_a_token_is_found_by_itself_alone():
    """A new token is recognised; cut, longer, or with one letter changed, it is not."""
    text, entry = new_token(Role.READ, tenant="acme", name="Ann")
    entries = {entry.id: entry}
    assert entry == find_token(text, entries)
    other = "A" if text[-1] != "A" else "B"
    for wrong in (text[:-1], text + "A", text[:-1] + other, text.upper(), "", "pyro_"):
        assert find_token(wrong, entries) is None


def test_the_secret_is_not_kept():
    """Nothing of the secret half is in what is stored."""
    text, entry = new_token(Role.INGEST)
    secret = text.split("_", 2)[2]
    assert secret not in repr(entry)
    assert 64 == len(entry.sha256)


def test_an_entry_of_zeros_is_nobodys():
    """The entry that stands in for unknown ids matches no token, also where the list is empty."""
    assert find_token(f"pyro_{'0' * 16}_{'A' * 43}", {}) is None


@given(st.text(max_size=80))
def test_any_text_is_answered(text):
    """Whatever is sent as a token, it is looked at without an error and is none."""
    _, entry = new_token(Role.ADMIN)
    assert find_token(text, {entry.id: entry}) is None


def test_a_file_of_tokens_is_private_and_grows(tmp_path):
    """Each token that is added is in the file afterwards, and only the owner may read the file."""
    path = tmp_path / "tokens.json"
    assert [] == read_tokens(path)
    entries = [new_token(Role.INGEST, tenant=tenant)[1] for tenant in ("one", "two")]
    for entry in entries:
        add_token(path, entry)
    assert entries == read_tokens(path)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("content", [b"{", b'[{"id": 1}]', b"\xff\xfe", b"[null]"])
def test_a_file_that_is_no_token_file_is_refused(tmp_path, content):
    """The error names the file; nothing is overwritten."""
    path = tmp_path / "tokens.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"tokens\.json"):
        add_token(path, new_token(Role.READ)[1])
    assert content == path.read_bytes()


@pytest.mark.parametrize("tenant", ["", "A", "a b", "a;drop", "a" * 41, "../x", "1a"])
def test_a_tenant_is_a_plain_word(tenant):
    """A tenant's name becomes the name of a database and of a folder, so it is letters, digits and underscores."""
    with pytest.raises(ConfigError, match="tenant"):
        new_token(Role.READ, tenant=tenant)
