"""Faults, kills and losses: what a user is left with. The table is docs/reliability.md."""
