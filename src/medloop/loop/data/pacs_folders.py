"""Where what archives send lies until it is a case."""

WANTED, PULLED = "pacs-wanted", "pacs-pull"
"""Of the project's work folder: which studies each pull is about, and files that came and are no case yet."""

RECEIVED, REFUSED = "received", "refused"
"""Of a project: what senders sent and is not yet a case, and in it what was set aside."""
