"""The remedy for what a bundle lacks, in the same words for every job that finds it.

A bundle may have been filled by `save` or by `import`, on either side, and may be looked at on the
other one: the remedy has to fit all of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airgap_tui.engine.bundle.reader import BundleReader

UNFINISHED = (
    "Run the save or the import again, which goes on where it was; or take the image out with"
    " airgap-tui remove."
)
"""For an image that failed or waits."""

VERIFY = "airgap-tui verify lists everything that is missing or damaged."
"""Where something is found wrong by a job that does not read everything."""


def not_whole(bundle: BundleReader) -> str:
    """For files that are missing or damaged."""
    if bundle.volumes is not None and bundle.volumes.missing:
        return (
            "Name all volumes of the set together. A lost one is made anew by the same export with"
            " --only-volume."
        )
    if bundle.volumes is not None:
        return "Copy the volume again, or make it anew: the same export with --only-volume."
    if bundle.inventory.imported:
        return "Import the media again, which copies just these."
    return "Run the save again, which fetches just these, or copy the medium again."
