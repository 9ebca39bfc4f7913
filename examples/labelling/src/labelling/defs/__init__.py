"""A file or folder per part: recordings come in, `street` chooses frames, labels come back."""
