"""Services whose releases differ in a known way, as roll-ups in a real store."""

import numpy as np

MS = 1_000_000
NS_PER_S = 10**9
BUCKETS = 60
# Milliseconds of CPU per request.
FUNCTIONS = {f"step_{number}": 4.0 + number for number in range(12)}


class ReleaseWriter:
    """Writes roll-ups as profiles and spans would fill them: sampled at 100 Hz, requests at a wandering rate."""

    def __init__(self, store, start_s: int) -> None:
        self._store = store
        self._start_s = start_s
        self.rng = np.random.default_rng(20)
        self.load = np.exp(0.2 * self.rng.standard_normal(2 * BUCKETS))

    def release(self, service, version, *, cpu_ms, first=0, tail=1.0, requests=400.0, spans=True, profiles=True):
        # cpu_ms: per request and function. tail: how many times as long 2% of the requests take. requests: per bucket.
        # first: number of the first of its 60 buckets.
        counts = self.rng.poisson(requests * self.load[first : first + BUCKETS])
        starts = [self._start_s + (first + bucket) * 10 for bucket in range(BUCKETS)]
        if profiles:
            self._profiles(service, version, starts, counts, cpu_ms)
        if spans:
            self._spans(service, version, starts, counts, tail)

    def _profiles(self, service, version, starts, counts, cpu_ms):
        rows = []
        whole = np.zeros(len(starts), dtype=int)
        for name, per_request in cpu_ms.items():
            samples = self.rng.poisson(counts * per_request / 10)
            whole += samples
            rows += [
                (service, version, at, name, "app.py", int(n) * 10 * MS, int(n) * 10 * MS, int(n))
                for at, n in zip(starts, samples, strict=True)
            ]
        names = ("service", "version", "bucket", "function", "file", "self_ns", "total_ns", "samples")
        self._insert("function_cost", names, rows)
        rows = [
            (service, version, "alpha", at, int(n) * 10 * MS, int(n), 10 * NS_PER_S, 1)
            for at, n in zip(starts, whole, strict=True)
        ]
        names = ("service", "version", "host", "bucket", "cpu_ns", "samples", "observed_ns", "windows")
        self._insert("service_cost", names, rows)

    def _spans(self, service, version, starts, counts, tail):
        rows = []
        for at, n in zip(starts, counts, strict=True):
            durations = 20 * MS * np.exp(0.3 * self.rng.standard_normal(n))
            durations[self.rng.random(n) < 0.02] *= tail
            indexes = np.floor(np.log2(durations) * 16).astype(int)
            for index in np.unique(indexes):
                inside = durations[indexes == index]
                rows.append((service, version, "GET /", "server", at, int(index), len(inside), 0, int(inside.sum())))
        names = ("service", "version", "operation", "kind", "bucket", "hist_index", "count", "errors", "duration_ns")
        self._insert("latency", names, rows)

    def _insert(self, table, names, rows):
        token = f"{table}-{rows[0][0]}-{rows[0][1]}"
        self._store.insert(table, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), token=token)
