"""Farthest-first (k-center greedy), exact: passes, rounds of an active set, row order."""
