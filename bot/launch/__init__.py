"""Everything on one machine with one command: train what changed, start each process, wait until it answers."""
