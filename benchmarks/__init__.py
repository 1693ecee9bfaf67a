"""Benchmarks: ratios against a floor or a baseline measured in the same run. `make bench`; see README.md here."""
