"""Several strategies at once: one greedy objective, evaluated as lazily as it allows."""
