"""
Which functions differ between two texts of a Python file.

Syntax trees are compared, not lines: comments, docstrings, layout and what only moved touch no function.
"""

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from pyrometer.api_events import Touch, TouchedFunction
from pyrometer.errors import DecodeError

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(slots=True)
class _Function:
    """
    What is known of the functions of one name: a property's getter and setter share theirs.

    Attributes:
        code: Its own syntax tree as text, without what is defined within.
        names: Names that it looks up.
    """

    first_line: int
    last_line: int
    code: str = ""
    names: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Module:
    """Functions by qualified name, and the values of the names that the file gives one at its outermost level."""

    functions: dict[str, _Function] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


def touched_functions(before: str, after: str, file: str) -> Iterator[TouchedFunction]:
    """
    Yield the functions that differ, and those that use a value of the file's outermost level that does.

    Args:
        before: What the file was; empty where it was not there.
        after: What it is; empty where it has gone.
        file: What it is called.

    Raises:
        DecodeError: If one of the texts is not Python of this version or an earlier one.
    """
    old, new = _read(before, file), _read(after, file)
    changed = {name for name, value in new.values.items() if old.values.get(name, value) != value}
    for name, function in new.functions.items():
        known = old.functions.get(name)
        if known is None:
            yield _touched(name, function, file, "added")
        elif known.code != function.code:
            yield _touched(name, function, file, "modified")
        elif changed & function.names:
            yield _touched(name, function, file, "uses")
    for name, function in old.functions.items():
        if name not in new.functions:
            yield _touched(name, function, file, "removed")


def _touched(name: str, function: _Function, file: str, touch: Touch) -> TouchedFunction:
    first, last = function.first_line, function.last_line
    return TouchedFunction(function=name, file=file, first_line=first, last_line=last, touch=touch)


def _read(text: str, file: str) -> _Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        reader = _Reader()
        reader.visit(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise DecodeError(f"{file}: {type(error).__name__}") from None
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign | ast.AugAssign):
            targets = [statement.target]
        for target in targets:
            if isinstance(target, ast.Name):
                reader.module.values[target.id] = ast.dump(statement)
    return reader.module


class _Reader(ast.NodeTransformer):
    """Notes each function from the inside out, and leaves its name in its place."""

    def __init__(self) -> None:
        self.module = _Module()
        self._scope = ""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self._inside(node, f"{self._scope}{node.name}.")
        return _placeholder(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        # As Python itself names it: https://peps.python.org/pep-3155/
        name = f"{self._scope}{node.name}"
        self._inside(node, f"{name}.<locals>.")
        _drop_docstring(node)
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        last = node.end_lineno or node.lineno
        function = self.module.functions.setdefault(name, _Function(first, last))
        function.first_line, function.last_line = min(first, function.first_line), max(last, function.last_line)
        function.code += ast.dump(node)
        function.names |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        return _placeholder(node)

    def _inside(self, node: _Definition, scope: str) -> None:
        outer, self._scope = self._scope, scope
        self.generic_visit(node)
        self._scope = outer


def _placeholder(node: _Definition) -> ast.AST:
    return ast.Expr(ast.Constant(f"definition of {node.name}"))


def _drop_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    first = node.body[0]
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    # A placeholder of a definition is no docstring: it stands for code, and has no place in the file.
    if is_text and hasattr(first, "lineno"):
        node.body[:1] = [ast.Pass()] if len(node.body) == 1 else []
