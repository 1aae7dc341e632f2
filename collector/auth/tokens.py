"""
Bearer tokens: what one looks like, what is kept of it, and the file it is kept in.

A token is ``pyro_ID_SECRET``: the id finds the entry, the secret proves that it is ours. Of the secret, which is 256
bits of the system's randomness, only the SHA-256 is kept: it cannot be guessed, so a slow hash would only slow us.
"""

import contextlib
import datetime as dt
import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from pyrometer.errors import ConfigError

TENANT_PATTERN: Final = "^[a-z][a-z0-9_]{0,39}$"
# Whose data it is where no token says otherwise.
DEFAULT_TENANT: Final = "default"
TOKENS_MAX: Final = 10_000

_TOKEN: Final = re.compile(r"pyro_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_FILE_BYTES_MAX: Final = 8 * 1024**2


class Role(StrEnum):
    """What a token is for. ``admin`` may do all."""

    INGEST = "ingest"
    READ = "read"
    ADMIN = "admin"


class TokenEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """
    What is kept of a token.

    Attributes:
        id: The token's middle part; no secret.
        role: What it is for.
        sha256: Of the secret, in hexadecimal digits.
        tenant: Whose data it writes or reads.
        name: For people: who has it.
        created: The day it was made, RFC 3339.
    """

    id: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    role: Role
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    tenant: Annotated[str, Meta(pattern=TENANT_PATTERN)] = DEFAULT_TENANT
    name: Annotated[str, Meta(max_length=200)] = ""
    created: Annotated[str, Meta(max_length=40)] = ""


# Compared with where the id is not known, so that this takes as long as a wrong secret.
_NOBODY: Final = TokenEntry(id="0" * 16, role=Role.READ, sha256="0" * 64)


def new_token(role: Role, *, tenant: str = DEFAULT_TENANT, name: str = "") -> tuple[str, TokenEntry]:
    """
    Return a new token, which exists nowhere else, and what to keep of it.

    Raises:
        ConfigError: If the tenant or the name breaks its rule.
    """
    token_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    fields = {
        "id": token_id,
        "role": role.value,
        "sha256": _hash(secret),
        "tenant": tenant,
        "name": name,
        "created": today,
    }
    try:
        return f"pyro_{token_id}_{secret}", msgspec.convert(fields, TokenEntry)
    except msgspec.ValidationError as error:
        raise ConfigError(f"this token cannot be made: {error}") from error


def find_token(text: str, entries: dict[str, TokenEntry]) -> TokenEntry | None:
    """Return the entry, of those by id, that a token belongs to; None for one that is none of ours."""
    found = _TOKEN.fullmatch(text)
    if found is None:
        return None
    entry = entries.get(found.group(1), _NOBODY)
    is_right = hmac.compare_digest(_hash(found.group(2)), entry.sha256)
    return entry if is_right and entry is not _NOBODY else None


def read_tokens(path: Path) -> list[TokenEntry]:
    """
    Return the entries of a token file; none where there is no file yet.

    Raises:
        ConfigError: If it cannot be read, or holds something else.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_BYTES_MAX + 1)
        entries = msgspec.json.decode(content, type=list[TokenEntry]) if content else []
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"the token file {path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"the token file {path} is not one: {error}; mend or remove it") from error
    if len(content) > _FILE_BYTES_MAX or len(entries) > TOKENS_MAX:
        raise ConfigError(f"the token file {path} holds more than {TOKENS_MAX} tokens")
    return entries


def add_token(path: Path, entry: TokenEntry) -> None:
    """
    Add an entry to a token file, which only its owner may read; the file is whole at any moment.

    Raises:
        ConfigError: If it cannot be written, or is full.
    """
    with _locked(path):
        entries = [*read_tokens(path), entry]
        if len(entries) > TOKENS_MAX:
            raise ConfigError(f"the token file {path} holds {TOKENS_MAX} tokens already; remove what nobody uses")
        temporary = path.with_name(f".{path.name}.new")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - the descriptor has the mode
            file.write(msgspec.json.format(msgspec.json.encode(entries), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ConfigError(f"the token file {path} cannot be written: {error.strerror}") from error


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
