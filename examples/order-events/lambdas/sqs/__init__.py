"""Batches of SQS messages: handle each one, decide what becomes of it, and answer Lambda.

The same in every project and not yours to edit: `cruft update` keeps it current.
"""

from sqs.backoff import Backoff
from sqs.handler import BatchHandler, batch_handler

__all__ = ["Backoff", "BatchHandler", "batch_handler"]
