"""Compute exact MRR, ARR and LTV from Stripe data in a contact's custom attributes (R2)."""
