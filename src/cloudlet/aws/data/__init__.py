"""Data derived from AWS's models; see cloudlet.aws.index."""
