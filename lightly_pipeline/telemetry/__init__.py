"""What operators see of a process from outside: its log as JSON, metrics and spans.

`labels` says for whom a thread works, `json_lines` shows the log, `metrics` is what the pipeline
counts by and the list of what is counted, `otlp` sends it. All are off unless configured.
"""
