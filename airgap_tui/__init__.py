"""Carry container images from a network with internet into one without."""

__version__ = "0.1.0"
