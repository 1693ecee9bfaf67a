"""One HTTP call to Intercom: transport, deadlines, response validation, retries and rate limits."""
