"""Rows of numbers: the grid that makes distances exact, distances, room in memory or on disk."""
