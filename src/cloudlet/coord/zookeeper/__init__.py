"""ZooKeeper's znodes, sessions and watches, over the keys store."""
