"""Days of a service as roll-ups in a real store: what functions cost and how long operations take, step by step."""

import numpy as np

MS = 1_000_000
NS_PER_S = 10**9
STEP_S = 300
N_STEPS = 864  # three days
HOURS = np.arange(N_STEPS) * STEP_S / 3600


def a_step(place, factor, n_steps=N_STEPS):
    return np.where(np.arange(n_steps) >= place, factor, 1.0)


class HistoryWriter:
    """Writes one row a step; the first step starts at *start_s*, a multiple of STEP_S."""

    def __init__(self, store, start_s: int, seed: int = 1) -> None:
        self._store = store
        self._start_s = start_s
        self.rng = np.random.default_rng(seed)

    def service(self, name, cpu_ms, operations, *, version="1"):
        # cpu_ms: of each (function, file), per request, as arrays over the steps.
        # operations: requests a step and median latency in ms of each operation, likewise.
        requests = {op: self.rng.poisson(wanted) for op, (wanted, _) in operations.items()}
        self._spans(name, version, requests, {op: latency for op, (_, latency) in operations.items()})
        whole = sum(requests.values()) if requests else np.full(N_STEPS, 400)
        self.functions(name, {key: self.rng.poisson(whole * ms / 10) for key, ms in cpu_ms.items()}, version=version)

    def functions(self, name, samples, *, version="1"):
        # samples: of each (function, file), counts over the steps; each stands for 10 ms.
        rows = [
            (name, version, self._at(step), function, file, int(n) * 10 * MS, int(n) * 10 * MS, int(n))
            for (function, file), counts in samples.items()
            for step, n in enumerate(counts)
            if n
        ]
        names = ("service", "version", "bucket", "function", "file", "self_ns", "total_ns", "samples")
        self._insert("function_cost", names, rows)
        rows = [
            (name, version, "alpha", self._at(step), int(n) * 10 * MS, int(n), STEP_S * NS_PER_S, 1)
            for step, n in enumerate(sum(samples.values()))
        ]
        names = ("service", "version", "host", "bucket", "cpu_ns", "samples", "observed_ns", "windows")
        self._insert("service_cost", names, rows)

    def _spans(self, name, version, requests, latency_ms):
        rows = []
        for op, counts in requests.items():
            for step, n in enumerate(counts):
                durations = latency_ms[op][step] * MS * np.exp(0.3 * self.rng.standard_normal(n))
                indexes = np.floor(np.log2(durations) * 16).astype(int)
                for index in np.unique(indexes):
                    inside = durations[indexes == index]
                    spent = int(inside.sum())
                    rows.append((name, version, op, "server", self._at(step), int(index), len(inside), 0, spent))
        names = ("service", "version", "operation", "kind", "bucket", "hist_index", "count", "errors", "duration_ns")
        self._insert("latency", names, rows)

    def _at(self, step):
        return self._start_s + step * STEP_S

    def _insert(self, table, names, rows):
        if rows:
            columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
            self._store.insert(table, columns, token=f"{table}-{rows[0][0]}-{rows[0][1]}-{len(rows)}")
