"""The command line, simulation, the report page, the bench, drills, and the generated pages."""
