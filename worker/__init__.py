"""The Celery app and its one task: claim a batch, read, judge, write verdicts."""
