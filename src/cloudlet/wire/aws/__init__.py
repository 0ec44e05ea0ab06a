"""The AWS protocols as codecs compiled from the models."""
