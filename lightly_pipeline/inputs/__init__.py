"""What a selection reads besides embeddings, as arrays with one entry per row.

Metadata, predictions and scores from the LIGHTLY datasource, numbers of the frame tables, query
embeddings; and the two ways rows change before a selection: copies left out, frames pooled to
sequences. Parsing and formulas are pure modules; reading is in `files.py`, `quality.py`,
`queries.py` and `gather.py`. How arrays decide over frames is the selection's business.
"""
