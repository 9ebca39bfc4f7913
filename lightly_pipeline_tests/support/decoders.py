"""The child processes in which this one decodes."""

import psutil


def decoding_children() -> list[psutil.Process]:
    """Returns the decoding processes of this one, of videos and of images."""
    return [c for c in psutil.Process().children() if any("isolated" in arg for arg in c.cmdline())]
