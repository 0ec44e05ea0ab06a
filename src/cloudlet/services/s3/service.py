"""S3: buckets of objects, versioned or not.

State   see state.py
Source  S3 API Reference and User Guide 2006-03-01; limits and texts: docs/sources/s3.md
Absent  policies, ACLs, public access blocks, CORS, websites, lifecycle, object lock, restore, encryption,
        notifications, logging, inventory, replication, MFA delete, POST forms; other accounts' buckets
"""

from __future__ import annotations

from cloudlet.services.s3 import buckets
from cloudlet.services.s3.faults import s3

SERVICE = s3

OPERATIONS = (buckets,)  # their import declares the operations
