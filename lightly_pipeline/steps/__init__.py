"""The steps of a run, one module each, named as the Dagster assets are.

Every step takes the run it belongs to and what the step before it gave; `pipeline.py` puts them in
order. How a thing is done (decoding, selecting, encoding images) is in the package it calls.
"""
