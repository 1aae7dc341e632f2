"""Programs that benchmarks watch. They run on the Python that is to be watched, so they need its library only."""
