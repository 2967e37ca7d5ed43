"""Throughput as ratios: our full hop and whole pipeline beside bare folds, in one run on one broker and database."""
