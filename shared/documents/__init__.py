"""What people read: mail bodies made from frozen facts, and the ways to send them."""
