"""Afters fine-tunes a language model on your own data, and proves that it got better."""

__version__ = "0.1.0"
