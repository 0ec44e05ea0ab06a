"""Coordination: the personalities of etcd and ZooKeeper over the keys store."""
