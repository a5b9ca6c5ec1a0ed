"""HTTP for every client here: TLS, proxies, redirects, pauses, and what failures mean."""
