"""Servers in a folder that end with the program that started them: for `simulate`, the tests, the bench and local clusters."""
