"""Revenue from Stripe data: MRR, ARR, LTV, exactly. Pure."""
