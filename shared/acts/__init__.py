"""What several scripts do in the same way, each under the locks of its caller: issue, receive money, tell, work a batch."""
