"""The page that shows one simulated run as a picture: `write_report` reads the output folder and writes report.html."""

from ops.report.page import write_report

__all__ = ["write_report"]
