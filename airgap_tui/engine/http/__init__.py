"""HTTP for all clients: TLS, proxies, redirects, rate-limit pauses, and what failures mean."""
