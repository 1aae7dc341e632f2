"""Tokens that come and go while a collector runs."""

import json
import os

import pytest

from collector.auth.guard import DeniedError, Guard
from collector.auth.settings import AuthSettings
from collector.auth.tokens import Role, add_token, new_token
from collector.auth.watch import TokenWatch


class World:
    """A token file, and a guard that was told of it."""

    def __init__(self, folder):
        self.path = folder / "tokens.json"
        self.first = self.add()
        self.settings = AuthSettings(tokens_file=str(self.path))
        self.guard = Guard(self.settings.entries())
        self.watch = TokenWatch(self.settings, self.guard)

    def add(self, **about):
        text, entry = new_token(Role.READ, **about)
        add_token(self.path, entry)
        return text

    def allows(self, text):
        try:
            self.guard.authorise({b"authorization": f"Bearer {text}".encode()}, Role.READ)
        except DeniedError:
            return False
        return True


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_new_token_counts_after_the_next_look(world):
    """Those of before count as well; a look at what did not change takes nothing."""
    added = world.add()
    assert not world.allows(added)
    assert world.watch.look()
    assert world.allows(added)
    assert world.allows(world.first)
    assert not world.watch.look()


def test_a_token_that_is_taken_out_is_refused(world):
    """Revoked without a restart."""
    added = world.add()
    world.watch.look()
    entries = json.loads(world.path.read_text())
    world.path.write_text(json.dumps(entries[1:]))
    assert world.watch.look()
    assert not world.allows(world.first)
    assert world.allows(added)


@pytest.mark.parametrize("content", ["[]", "", "not JSON", '[{"id": "x"}]', None])
def test_a_file_that_is_no_good_changes_nothing(world, content):
    """Empty, torn, wrong or gone: whoever had a token keeps it, and a good file counts again."""
    world.watch.look()
    kept = world.path.read_text()
    if content is None:
        world.path.unlink()
    else:
        world.path.write_text(content)
    assert not world.watch.look()
    assert world.allows(world.first)
    world.path.write_text(kept)
    added = world.add()
    assert world.watch.look()
    assert world.allows(added)


def test_a_token_of_a_new_tenant_waits_for_a_restart(world, caplog):
    """There is no database for it yet; the others count."""
    stranger, added = world.add(tenant="acme"), world.add()
    assert world.watch.look()
    assert not world.allows(stranger)
    assert world.allows(added)
    assert "acme" in caplog.text


def test_a_file_that_is_only_touched_is_the_same(world):
    """Its tokens are read and are no others."""
    world.watch.look()
    os.utime(world.path, (1, 1))
    assert not world.watch.look()
