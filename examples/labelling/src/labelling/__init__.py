"""A project that uses lightly_pipeline: recordings in, labels of the chosen frames out."""
