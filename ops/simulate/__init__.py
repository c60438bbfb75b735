"""The main job on the embedded default: a file of change messages, a virtual clock, the real scheduler and pools."""
