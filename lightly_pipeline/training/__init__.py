"""A model is trained on the frames of a dataset itself, without labels: SimCLR on a ResNet.

What is trained with (`options.py`), the frames it is trained on (`sample.py`, `reading.py`), the
training (`loop.py`, `simclr.py`), and the models that LIGHTLY holds (`models.py`). torch and the
`lightly` library are loaded with the loop alone. Embedding with a model is `embedding`'s business,
and when one is trained that of `steps.training`.
"""
