"""The collector: takes OTLP, keeps it in ClickHouse, and answers questions about it over HTTP."""
