"""
Which change is behind a regression.

    stacks    what a function's increase has to do with the functions that a change touched
    names     the same function under the name of a repository and that of a process; words in common
    rank      changes in the order of what speaks for them
"""
