"""Read-only SQL of checks, charts and previews."""
