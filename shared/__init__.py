"""What scheduler, pools and operators share: the domain, the store, the messages and the edges."""
