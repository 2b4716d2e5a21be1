"""Functions that numba compiles, and what it has no words for."""

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic


def compiled(**options):
    """numba.njit, which keeps its code beside the module, or in the home folder, or nowhere if it may write into neither."""

    def compile_(function):
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # numba found no place
            return njit(**options)(function)

    return compile_


@intrinsic
def bits_of(typing, number):
    """The bits of a float64 as an int64."""
    return types.int64(types.float64), _same_bits


@intrinsic
def from_bits(typing, bits):
    """The float64 of these bits, an int64."""
    return types.float64(types.int64), _same_bits


def _same_bits(context, builder, signature, arguments):
    return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))


@intrinsic
def as_float64(typing, number):
    """A number as a float64. A uint16 is taken for the bits of a float16: numba knows no numbers of that size."""

    def generate(context, builder, signature, arguments):
        if number == types.uint16:
            return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.DoubleType())
        return context.cast(builder, arguments[0], number, types.float64)

    return types.float64(number), generate
