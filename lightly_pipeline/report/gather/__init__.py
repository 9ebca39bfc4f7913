"""Finds the values of a report: what a choice looks like, while its embeddings are in memory.

In two parts. `choice` looks at the embeddings, tables and inputs of a selection right after it, and
`stored` keeps what it found with the run. `whole` adds what became of the images. Nothing is drawn
or written for people here.
"""
