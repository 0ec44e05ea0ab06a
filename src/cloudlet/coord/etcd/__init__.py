"""etcd: the v3 API over the keys store."""
