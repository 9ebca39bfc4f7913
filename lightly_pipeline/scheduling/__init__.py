"""Scheduled runs: what clients wrote down, who executes it, and how it ended.

The deployment's state (datasets, credentials, queue), claims and beats, and the worker. What the
client looks like is in `api`; how a run works is in `pipeline`.
"""
