"""Begins work on a bundle anew from a job; it is `engine.guide`'s."""

from airgap_tui.engine.guide.restart import from_step, logins_lacking, starting

__all__ = ["from_step", "logins_lacking", "starting"]
