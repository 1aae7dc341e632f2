"""The agent: samples stacks of this host's Python processes and host metrics from outside, and sends them as OTLP."""
