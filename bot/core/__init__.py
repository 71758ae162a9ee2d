"""Pure decisions and the vocabulary they speak. Standard library only; time is always an argument."""
