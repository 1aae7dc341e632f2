"""
``pyrometer check``: the verdict on a release, for a person, a pipeline, and a pull request.

    report          what a check says, whatever it was made from
    from_collector  a report of two releases that a collector knows
    from_profiles   a report of profile files: repeated runs of the same work
    suspects        the changes that are likely behind it
    text, machine   the report as text and Markdown, and as JSON, JUnit and SARIF
    command         the command line
"""
