"""cloudlet: a small cloud that runs on one machine from one install."""

__version__ = "0.1.0.dev0"
