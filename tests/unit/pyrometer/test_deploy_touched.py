"""Which functions differ between two texts of a file: those whose code does, under the names that stacks show."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrometer.deploy.touched import touched_functions
from pyrometer.errors import DecodeError

BEFORE = '''
    """A cart."""
    RATE = 19
    OTHER = 1

    class Cart:
        LIMIT = 5

        def price(self):
            """Return the price."""
            return self.total * RATE

        @property
        def size(self):
            return 3

        @size.setter
        def size(self, value):
            self.n = value

        async def pay(self):
            def attempt():
                return 1

            return attempt()

    def gone():
        pass
'''


def touched(before, after):
    return {row.function: row.touch for row in touched_functions(before, after, "cart.py")}


def after(*changes):
    text = textwrap.dedent(BEFORE)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return touched(textwrap.dedent(BEFORE), text)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("self.total * RATE", "self.total"), {"Cart.price": "modified"}),
        (("    return 1\n\n", "    return 2\n\n"), {"Cart.pay.<locals>.attempt": "modified"}),
        (("self.n = value", "self.n = 2"), {"Cart.size": "modified"}),
        (("def gone():", "def new():"), {"new": "added", "gone": "removed"}),
        (("RATE = 19", "RATE = 7"), {"Cart.price": "uses"}),
        (("OTHER = 1", "OTHER = 2"), {}),
        (("LIMIT = 5", "LIMIT = 6"), {}),
        (("async def pay", "@cached\n    async def pay"), {"Cart.pay": "modified"}),
        (('"""Return the price."""', '"""Return what it costs."""  # so'), {}),
        (("class Cart:", "# moved\n\n\nclass Cart:"), {}),
    ],
)
def test_a_function_is_touched_where_its_code_differs(change, found):
    """Not by comments, docstrings, layout, or lines that moved; by a value of the file that it uses, too."""
    assert after(change) == found


def test_lines_are_those_of_the_new_text_with_decorators():
    """A function that has gone keeps the lines that it had."""
    [row] = touched_functions("", "@cached\ndef price():\n    return 1\n", "cart.py")
    assert (row.touch, row.first_line, row.last_line, row.file) == ("added", 1, 3, "cart.py")
    [row] = touched_functions("\ndef price():\n    return 1\n", "", "cart.py")
    assert (row.touch, row.first_line, row.last_line) == ("removed", 2, 3)


@pytest.mark.parametrize("text", ["def f(:", "print 'old'", "\0", "(" * 5000, "def f():\n  x = " + "-" * 100_000 + "1"])
def test_a_text_that_is_no_python_is_refused(text):
    """One error, however it is broken."""
    with pytest.raises(DecodeError, match=r"^cart\.py: "):
        list(touched_functions("", text, "cart.py"))


@given(st.lists(st.sampled_from(["def f(): return 1", "def g(): return f()", "X = 1", "class C:\n def m(self): ..."])))
def test_a_text_does_not_differ_from_itself(lines):
    """Whatever it is, names given twice included; all that it has is added where nothing was."""
    text = "\n".join(lines)
    assert touched(text, text) == {}
    assert set(touched("", text).values()) <= {"added"}
