"""What taking in a span, a metric point and a stack sample costs, in the collector and in the database."""
