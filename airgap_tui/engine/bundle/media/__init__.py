"""Where the files of a bundle are: in a directory, inside a tar file or an ISO image."""
