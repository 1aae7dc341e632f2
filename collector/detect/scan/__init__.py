"""
A scan of one service: did any of its series change over time, or between its last two releases?

    settings    thresholds and limits
    grid        the steps of time that all series of a scan share
    source      what a scan asks of the store
    functions   the own CPU of each function, and where it moved to
    operations  latency, errors and traffic of each operation
    hosts       the CPU of each host, which belongs to the service "host"
    moved       whether a change is one of cost, or cost that moved
    load        traffic and CPU that prices and explanations assume
    over_time   all of these searched for changes
    releases    the findings of a comparison of two releases
    folding     one finding for each cause
"""
