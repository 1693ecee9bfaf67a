"""Computed tables: revenue_metrics, support_metrics and unified_customers."""
