"""Use cases: load, decide in the core, save, commit. Ports to the outside are protocols in `ports`."""
