"""Chosen frames become images in the LIGHTLY datasource, and a manifest that says so.

Resizing, image encoding, uploading and the manifest live here; which frames were chosen is the
selection's business, how they are decoded again the video layer's.

Submodules that need Pillow are imported where they are used, never from here.
"""
