"""Sound to spectra: one small module a front-end, all on one grid of steps."""

from tagtower.features.spectra.frontend import FRONTENDS, FrontEnd, Spectra

__all__ = ["FRONTENDS", "FrontEnd", "Spectra"]
