"""Everything Dagster: assets, checks, jobs, partitions, schedules, sensors and resources.

Thin: the work is in `pipeline`.
"""
