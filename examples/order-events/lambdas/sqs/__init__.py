"""Batches of SQS messages: handle each one, and tell Lambda which of them failed.

The same in every project and not yours to edit: `cruft update` keeps it current.
"""

from sqs.handler import BatchHandler, batch_handler

__all__ = ["BatchHandler", "batch_handler"]
