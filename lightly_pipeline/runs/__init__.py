"""What a run leaves, and what a dataset remembers of its runs.

Result, records and log of a run, tags, the datapool: files in the LIGHTLY datasource and the rules
by which they change while several runs are on. Which frames are chosen is decided elsewhere.
"""
