"""
``pyrometer deploy``: a pipeline tells of what it rolls out.

    repository  what lies between two commits of a git repository
    touched     which functions of a file differ between two texts of it
    mark        both together: everything that a range of commits touched
    commands    the command line
"""
