"""The Dagster definitions: assets, checks, jobs, partitions, schedules, sensors and resources.

The work itself is in `pipeline`.
"""
