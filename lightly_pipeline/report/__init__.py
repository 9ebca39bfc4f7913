"""What a person reads of a run: what was chosen, what was left out, and why.

`numbers` is the values of a report and `gather/` finds them; `html/`, `pdf` and `json` write them
down. `figures/` has one module per picture. `history` is the page of a dataset: all
of its runs. Nothing else knows how a report looks.
"""
