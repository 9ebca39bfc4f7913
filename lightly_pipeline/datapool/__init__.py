"""What a dataset remembers of its runs: the chosen frames, their tags, and the datapool.

Files in the LIGHTLY datasource and the rules by which they change while several runs are on.
Which frames are chosen, and how the memory enters a selection, is decided elsewhere.
"""
