"""Functions that numba compiles."""

from numba import njit


def compiled(**options):
    """numba.njit, which keeps its code beside the module, or in the home folder, or nowhere if it may write into neither."""

    def compile_(function):
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # numba found no place
            return njit(**options)(function)

    return compile_
