"""SQL text: split at semicolons that end statements, quoted so that it stays text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store.migrate import shipped_migrations
from collector.store.statements import parameter_text, query_text, quote_text, split_statements

PIECES = ["a", " 'x;y' ", " 'it''s;' ", " '\\';' ", "`b;`", '";"', "/* ; ' */", "-- ; '\n", "1 - 2 / 3", "\n"]


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        (" ; ;", []),
        ("a; b", ["a", "b"]),
        ("a -- x; y\n; b", ["a", "b"]),
        ("a /* ; */ b;", ["a   b"]),
        ("a ';' b; c", ["a ';' b", "c"]),
        ("a '\\';' b", ["a '\\';' b"]),
        ("a 'it''s;' b", ["a 'it''s;' b"]),
        ('`a;b` ";" ; c - d / e', ['`a;b` ";"', "c - d / e"]),
    ],
)
def test_statements_end_at_semicolons_outside_quotes_and_comments(text, statements):
    """Whatever stands in texts, names and comments."""
    assert split_statements(text) == statements


@pytest.mark.parametrize("text", ["'", "a 'b", "`a", '"', "'\\'"])
def test_an_open_quote_is_an_error(text):
    """A file that was cut off is not half applied."""
    with pytest.raises(ValueError, match="not closed"):
        split_statements(text)


@given(st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5), max_size=5))
def test_splitting_finds_as_many_as_were_joined(statements):
    """Any mixture of pieces, joined by semicolons, comes apart again."""
    texts = ["x" + "".join(pieces) for pieces in statements]
    assert len(split_statements("\n;".join(texts))) == len(texts)


@given(st.text())
def test_quoted_text_is_one_token(text):
    """No text can end its own quotes."""
    quoted = quote_text(text)
    assert split_statements(f"SELECT {quoted}") == [f"SELECT {quoted}".strip()]


def test_parameters_as_the_embedded_engine_reads_them():
    """Scalars as TSV fields, lists as literals, numbers as they are."""
    assert parameter_text("a'b\\\n\t\0") == "a'b\\\\\\n\\t\\0"
    assert parameter_text(["a'", "b\\"]) == "['a\\'','b\\\\']"
    assert parameter_text([1, 2]) == "[1,2]"
    assert (parameter_text(5), parameter_text(0.1), parameter_text(value=True)) == ("5", "0.1", "1")


@pytest.mark.parametrize("name", ["", "../secret", "a/b", "A", "a.sql", "a\0"])
def test_only_names_name_queries(name):
    """A name cannot reach outside the folder."""
    with pytest.raises(ValueError, match="not a query name"):
        query_text(name)


def test_every_migration_statement_can_be_repeated():
    """Each makes what is not there, drops what is, or says how it is to be: a killed run can be repeated.

    Rows may be copied into a table that keeps the first and the last of what it is given, however often.
    """
    statements = [s for migration in shipped_migrations() for s in split_statements(migration.text)]
    assert statements
    for statement in statements:
        needed = "IF EXISTS" if statement.startswith("DROP ") else "IF NOT EXISTS"
        may_be_repeated = r"ALTER TABLE \w+\s+MODIFY (COLUMN|QUERY|TTL)\b|INSERT INTO releases_seen\b"
        assert needed in statement or re.match(may_be_repeated, statement)


def test_every_table_has_an_end_and_knows_its_inserts():
    """Each stored table has a TTL, and a window of deduplication for repeated inserts."""
    for migration in shipped_migrations():
        for statement in split_statements(migration.text):
            if "MergeTree" in statement:
                assert "TTL" in statement, migration.name
                assert "non_replicated_deduplication_window" in statement, migration.name
