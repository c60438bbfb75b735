"""The scheduler: plan, dispatch, relay and rechecks. It decides when; it knows no gateway and no pool's rules."""
