"""Looking after what runs have left: removing what nothing needs, finding and mending damage.

What may be removed is said once: in `owned.py` (which files are ours at all) and `retention.py`
(which of those nothing needs); `cleaning.py` removes it. Decoding a video is no business of this
package.
"""
