"""
Programs that know what each of their functions used.

    python -m benchmarks.workloads.known_shares KIND TRUTH

The functions of KIND write what they use into the file TRUTH; see `benchmarks.workloads.truth`. A sample of a program
belongs to the name nearest to its leaf.
"""

import sys

from benchmarks.workloads.truth import keep_truth
from benchmarks.workloads.waiting import WAITING
from benchmarks.workloads.working import WORKING

# By kind: what runs, and the names of the functions that keep account.
KINDS = {**WORKING, **WAITING}


def main():
    kind, path = sys.argv[1:3]
    run, names = KINDS[kind]
    keep_truth(path, names)
    print("up", flush=True)
    run()


if __name__ == "__main__":
    main()
