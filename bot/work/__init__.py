"""The due loop: takes tasks from the store, has each worked off, and puts back what did not succeed yet."""
