"""Who vouches for a bundle: signatures made and checked with SSH or GPG."""
