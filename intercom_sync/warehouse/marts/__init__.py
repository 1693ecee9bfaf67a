"""Computed tables: revenue_metrics, support_metrics, unified_customers, mrr_movements and customer_history."""
