"""
A small web shop in two releases, and the load on it: something real to watch.

    releases    in what 1.5.0 differs from 1.4.0: the only place
    catalogue   the goods
    checkout    /checkout, CPU in pure Python
    search      /search, CPU in NumPy
    orders      /orders, waits for another server over a socket
    stock       /stock, threads that contend for a lock
    export      /export, generators
    service     the web service around them (Starlette, uvicorn)
    tracing     server spans and inner spans through the OpenTelemetry SDK
    rollout     tells of the deploy of 1.5.0, as a pipeline does
    load        an open-loop load generator that stays within a CPU budget
    commands    the command line
"""
