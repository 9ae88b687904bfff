"""Memory that is free is given back to the system: glibc keeps what large pictures took."""

import ctypes


def trim():
    """Give back what malloc holds free; nothing where the C library has no malloc_trim (it is glibc's)."""
    if call := getattr(ctypes.CDLL(None), "malloc_trim", None):
        call(0)
