"""The scheduler: plan, dispatch, recheck and relay. It decides when something is done, never what."""
