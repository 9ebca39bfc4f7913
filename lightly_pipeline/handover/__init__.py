"""What a run chose, handed over to the tools that come next: labelling, training, tables.

`frames` reads a run's chosen frames, `predictions` what the dataset predicts for them; every tool
has a module of its own that writes its format, and `export` puts them together. Nothing is
selected, decoded or encoded here, and no tool's own application is needed to write for it.
"""
