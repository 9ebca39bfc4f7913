"""Which rows a selection may choose from.

Embedded videos, frames chosen before, blocks of sequences, copies: everything that decides which
row stands for which frame. What rows are compared by, besides embeddings, is in `inputs`.
"""
