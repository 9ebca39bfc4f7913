"""What the pictures of a report show: one module per figure, data in and a picture's values out.

`chart` is what pictures of lines and bars consist of. Colours, sizes and the library that draws are
of `html/` and `pdf/`, which draw the same values.
"""
