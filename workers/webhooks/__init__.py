"""What comes in over the web: the providers' webhooks, and clients who want to pay. It decides nothing about money."""
