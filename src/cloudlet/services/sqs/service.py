"""SQS: queues of messages, standard and FIFO, each message in the log of its queue.

State   see queues.py (keys) and records.py (logs)
Source  SQS API Reference and Developer Guide 2012-11-05; limits and texts: docs/sources/sqs.md
Absent  enforcement of queue policies, and encryption with KMS keys, come with the security services
"""

from __future__ import annotations

from cloudlet.services.sqs import message, move, queue
from cloudlet.services.sqs.faults import sqs

SERVICE = sqs

OPERATIONS = (queue, message, move)  # their import declares the operations
