"""Predictions in other tools' files, brought into LIGHTLY once, so that runs read one format.

`formats.py` reads the files, `names.py` finds the frames that they speak of, `predictions.py`
writes what runs read.
"""
