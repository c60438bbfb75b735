"""Billing operations that several scripts share: issue, receive money, notify. Each runs under the locks of its caller."""
