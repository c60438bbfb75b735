"""Mails: their texts, made from frozen facts, and how they are sent."""
