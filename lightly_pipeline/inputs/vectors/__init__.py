"""Embeddings that users bring: a file of vectors by frame name, read, checked and found again.

`place` says which file is meant, `formats` opens it as one of `csv_file`, `parquet_file`,
`npy_file`; `reading` takes the vectors off it, `names` says whose they are, `own` gives them out.
"""
