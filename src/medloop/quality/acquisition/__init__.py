"""Whether an image had better be acquired again: signs that need no model, and limits that the project's own images set."""
