"""What each strategy of a configuration makes of its input: one module per strategy.

To add one: say in `config/strategies.py` which inputs and options go with it, write a module here
with a `build` function, and name that in `build.py`.
"""
