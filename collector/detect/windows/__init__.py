"""Changes in fresh windows of very many series at once: series x time matrices, and no loop over series."""
