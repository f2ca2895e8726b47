"""Language models: text in, answers and likelihoods out."""

import os

# Both before torch is imported by any file of this room, and both measured in perf/LOG.md.
# OpenMP's threads wait for each other some microseconds awake, then asleep: when they stay awake, as is the default,
# one other busy process makes a training step ten times slower on two cores; when they sleep at once, a quiet machine
# loses a third.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# oneDNN keeps compiled kernels for few shapes: with batches of every length a thousand of them take gigabytes.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
