"""Image files as frames: untrusted bytes become upright RGB pixels, and what a frame has besides.

Scaling, quality numbers and checksums are those of video frames (`video`). Which images there are
and where their rows are stored is the tables' business.
"""
