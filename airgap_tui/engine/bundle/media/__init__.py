"""Where the files of a bundle lie: in a directory, inside a tar file or an ISO image."""
