"""The engine that reads perf events: which thread was on a CPU, and its native and kernel stack, for the whole host."""
