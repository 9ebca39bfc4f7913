"""What is stored per video: one frame table, one embedding file, one outcome.

The schema, its version, fingerprints, writing and streaming live here. How numbers are obtained
(decoding, encoding) and what is done with them (selection) does not.

Submodules that need pyarrow are imported where they are used, never from here.
"""
