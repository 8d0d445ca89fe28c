"""Collections over HTTP: an API and a page, from one process on the user's own machine."""
