"""The tasks that workers run.

Their arguments are plain JSON values. If a task runs twice, the result is the same as of one run.
"""
