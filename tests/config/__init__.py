"""The configuration: one file of tests per module, and a configuration that lies in memory (`memory`)."""
