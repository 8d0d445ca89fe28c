"""Long work that is started over HTTP: run beside the answers, observed, cancelled, and known after a kill."""
