"""
Programs whose every legal stack is known, for judging a stack reader.

    python benchmarks/workloads/known_stacks.py NAME          # runs until killed; prints "ready" first
    python benchmarks/workloads/known_stacks.py --list

Each workload calls two disjoint chains of functions in turn, ``a0`` to ``aN`` and ``b0`` to ``bN``, each level in its
own way. So a stack is legal when, apart from frames of the standard library, it is a prefix of one of the two chains. A
stack that mixes them, or that leaves a level out, never existed. The file runs on every CPython from 3.9 on, alone.

`WORST` names the workloads that are made to be as hard to read as can be: they do nothing but call.
"""

import re
import sys
import time
from collections.abc import Sequence

CALLS, GENERATORS, COROUTINES = 12, 8, 10
DEEP = 300
# Work of a leaf, in loop iterations of some 30 ns: a tiny leaf, one that does something, and one worth a deep call.
TINY, SOME, MUCH = 3, 200, 4000
NAMES = (
    "calls",
    "deep",
    "callbacks",
    "classes",
    "generators",
    "coroutines",
    "thread-churn",
    "fork-churn",
    "exec-churn",
    "calls-tiny",
    "deep-tiny",
    "generators-tiny",
    "coroutines-tiny",
)
WORST = ("calls-tiny", "deep-tiny", "generators-tiny", "coroutines-tiny")
# The name of the file that the workloads' functions lie in: frames of other files are left out before judging.
FILE = "known_stacks_chains.py"
_LEGAL = re.compile(r"(?:<module>;|(?:main;(?:worker;)?|worker;)(?P<chain>(?:[ab]\d+;)*))?")


def is_legal(functions: Sequence[str]) -> bool:
    """
    Return whether a stack can exist.

    Args:
        functions: Qualified names of its frames in FILE, root first; a name counts by its last part.
    """
    names = [name.rpartition(".")[2] for name in functions]
    match = _LEGAL.fullmatch("".join(name + ";" for name in names))
    if match is None:
        return False
    chain = (match["chain"] or "").split(";")[:-1]
    return chain == [f"{chain[0][0]}{level}" for level in range(len(chain))]


def _leaf(iterations: int) -> list[str]:
    return ["total = 0", f"for i in range({iterations}): total += i", "return total"]


def _calls(depth: int, iterations: int) -> list[str]:
    lines = []
    for chain in "ab":
        for level in range(depth):
            body = [f"return {chain}{level + 1}()"] if level < depth - 1 else _leaf(iterations)
            lines += [f"def {chain}{level}():", *("    " + line for line in body)]
    return [*lines, "def main():", "    while True:", "        a0(); b0()"]


def _callbacks(depth: int, iterations: int) -> list[str]:
    """Every second call goes through C: max, map, sorted and a partial call the next level."""
    ways = [
        "return max([1], key={n})",
        "return list(map({n}, [1]))",
        "return sorted([1], key={n})",
        "return functools.partial({n}, 1)()",
        "return {n}(1)",
    ]
    lines = ["import functools"]
    for chain in "ab":
        for level in range(depth):
            way = ways[level % len(ways)].format(n=f"{chain}{level + 1}")
            body = [way] if level < depth - 1 else _leaf(iterations)
            lines += [f"def {chain}{level}(_):", *("    " + line for line in body)]
    return [*lines, "def main():", "    while True:", "        a0(1); b0(1)"]


def _classes(depth: int, iterations: int) -> list[str]:
    """Calls through constructors, methods, properties and operators."""
    lines = []
    for chain in "ab":
        for level in range(depth):
            following = f"C{chain}{level + 1}"
            name = ("__init__", "method", "__getitem__")[level % 3]
            use = ("{c}()", "{c}.__new__({c}).method()", "{c}.__new__({c})[0]")[(level + 1) % 3].format(c=following)
            body = [use] if level < depth - 1 else _leaf(iterations)[:2]
            argument = ", _" if name == "__getitem__" else ""
            lines += [
                f"def {chain}{level}(self{argument}):",
                *("    " + line for line in body),
                f"class C{chain}{level}:",
                f"    {name} = {chain}{level}",
            ]
    return [*lines, "def main():", "    while True:", "        Ca0(); Cb0()"]


def _generators(depth: int, iterations: int) -> list[str]:
    """Pipelines of generators, every other one driven from C."""
    lines = []
    for chain in "ab":
        for level in range(depth):
            following = f"{chain}{level + 1}()"
            ways = [
                [f"for x in {following}: yield x"],
                [f"yield from {following}"],
                [f"yield sum({following})"],
            ]
            body = (
                ways[level % 3]
                if level < depth - 1
                else ["for _ in range(4):", *_indent(_leaf(iterations)[:2]), "    yield total"]
            )
            lines += [f"def {chain}{level}():", *_indent(body)]
    drive = ["for _ in a0(): pass", "for _ in b0(): pass"]
    return [*lines, "def main():", "    while True:", *_indent(_indent(drive))]


def _coroutines(depth: int, iterations: int) -> list[str]:
    """Chains of coroutines under asyncio; the leaf also waits once."""
    lines = ["import asyncio"]
    for chain in "ab":
        for level in range(depth):
            body = [f"return await {chain}{level + 1}()"]
            if level == depth - 1:
                body = [*_leaf(iterations)[:2], "await asyncio.sleep(0)", *_leaf(iterations)]
            lines += [f"async def {chain}{level}():", *_indent(body)]
    loop = ["while True:", "    await a0()", "    await b0()"]
    return [*lines, "async def worker():", *_indent(loop), "def main():", "    asyncio.run(worker())"]


def _thread_churn(depth: int, iterations: int) -> list[str]:
    """Threads that use some 2 ms each, and live for some 10, four at a time."""
    work = ["for _ in range(200):", "    a0(); b0()"]
    churn = ["while True:", "    threads = list(map(threading.Thread, [None] * 4, [worker] * 4))"]
    churn += ["    for thread in threads: thread.start()", "    for thread in threads: thread.join()"]
    lines = _calls(depth, iterations)
    lines = lines[: lines.index("def main():")]
    return ["import threading", *lines, "def worker():", *_indent(work), "def main():", *_indent(churn)]


def _fork_churn(depth: int, iterations: int) -> list[str]:
    """A process that works, and forks children that work for some 50 ms each."""
    child = [
        "pid = os.fork()",
        "if pid == 0:",
        "    worker(200)",
        "    os._exit(0)",
        "worker(200)",
        "os.waitpid(pid, 0)",
    ]
    lines = _calls(depth, iterations)
    lines = lines[: lines.index("def main():")]
    work = ["for _ in range(rounds):", "    a0(); b0()"]
    return [
        *("import os", *lines, "def worker(rounds):", *_indent(work)),
        *("def main():", "    while True:", *_indent(_indent(child))),
    ]


def _exec_churn(depth: int, iterations: int) -> list[str]:
    """A process that becomes another program again and again, with chains of another length each time."""
    lines = _calls(depth, iterations)
    lines = lines[: lines.index("def main():")]
    work = ["for _ in range(3000):", "    a0(); b0()"]
    restart = ["worker()", "os.execv(sys.executable, [sys.executable, *sys.argv])"]
    return ["import os, sys", *lines, "def worker():", *_indent(work), "def main():", *_indent(restart)]


def _indent(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


def source(name: str) -> str:
    """Return the program of a workload; its function ``main`` never returns."""
    iterations = TINY if name.endswith("-tiny") else SOME
    makers = {
        "calls": lambda: _calls(CALLS, iterations),
        "deep": lambda: _calls(DEEP, MUCH if iterations == SOME else iterations),
        "callbacks": lambda: _callbacks(CALLS, iterations),
        "classes": lambda: _classes(CALLS, iterations),
        "generators": lambda: _generators(GENERATORS, iterations),
        "coroutines": lambda: _coroutines(COROUTINES, iterations),
        "thread-churn": lambda: _thread_churn(CALLS, iterations),
        "fork-churn": lambda: _fork_churn(CALLS, iterations),
        "exec-churn": lambda: _exec_churn(CALLS, iterations),
    }
    return "\n".join(makers[name.replace("-tiny", "")]())


def run(name: str) -> None:
    """Run a workload in this process."""
    namespace = {"__name__": "known_stacks_chains"}
    exec(compile(source(name), FILE, "exec"), namespace)  # noqa: S102 (the program is made above)
    print("ready", time.time(), flush=True)
    namespace["main"]()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--list"]:
        print("\n".join(NAMES))
    else:
        run(sys.argv[1])
