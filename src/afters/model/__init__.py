"""Language models: text in, answers and likelihoods out."""

import os

# Both before torch is imported by any file of this room, and both measured in perf/LOG.md.
# OpenMP's threads sleep while they wait for each other: when they spin, as is the default, one other busy process makes
# a training step ten times slower on two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# oneDNN keeps compiled kernels for few shapes: with batches of every length a thousand of them take gigabytes.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
