"""SQL lies in files; what it is asked with goes to the engine as parameters."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|(ALTER|CREATE|DROP|DESCRIBE|TRUNCATE|OPTIMIZE)\s+(TABLE|DATABASE|VIEW)"
    r"|DELETE\s+FROM|ORDER\s+BY|GROUP\s+BY)\b|^\s*(USE|WHERE|AND|LIMIT|SETTINGS)\s",
    re.DOTALL,
)
# The stores are the engines' own side: they name databases, tables and columns, which come from settings that are
# checked and from our own code, and never a value that was received. The agent's spool is a file of its own.
ENGINES = {"collector/store"}


def programs():
    for folder in ("collector", "dashboard", "pyrometer"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def built_texts(tree):
    """Every text that is put together: f-strings, %, +, format and join."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and any(isinstance(part, ast.FormattedValue) for part in node.values):
            yield node, "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif is_put_together(node):
            yield node, " ".join(constants(node))


def is_put_together(node):
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in {"format", "join"}
    return isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mod, ast.Add))


def constants(node):
    return [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def found_in(text):
    return [node.lineno for node, built in built_texts(ast.parse(text)) if SQL.search(built)]


def test_no_program_builds_sql():
    """Outside of the stores no text with SQL in it is put together from parts."""
    found = {}
    for path in programs():
        name = path.relative_to(ROOT).as_posix()
        if path.parent.relative_to(ROOT).as_posix() not in ENGINES and (lines := found_in(path.read_text())):
            found[name] = lines
    assert {} == found, "move the statement to collector/store/queries/ and give it parameters"


def test_the_search_sees_what_it_looks_for():
    """Each way to build a statement is found, and ordinary texts are not."""
    built = [
        "f\"SELECT a FROM b WHERE c = '{d}'\"",
        '"SELECT a FROM b WHERE c = %s" % d',
        '"SELECT a FROM b WHERE c = " + d',
        '"INSERT INTO {} VALUES".format(d)',
        'f"DROP TABLE {d}"',
    ]
    assert [[1]] * len(built) == [found_in(text) for text in built]
    assert [] == found_in('f"select a tenant from {d}"') + found_in('"SELECT a FROM b"')


def test_every_query_takes_its_values_as_parameters():
    """A query file holds no placeholder of Python's, and every name it takes is declared with a type."""
    for path in sorted((ROOT / "collector" / "store" / "queries").glob("*.sql")):
        text = re.sub(r"--[^\n]*", "", path.read_text())
        assert [] == re.findall(r"%s|%\(\w+\)s|\{\}|\{\w+\}", text), path.name
