"""64 numbers at a time, compared with others, for compiled functions.

What LLVM makes of plain loops of this kind is several times as slow, so that these are written for LLVM itself. It knows such vectors on
every processor, whatever room that has for them. That an array has the numbers asked for is not checked.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 64


def padded_length(n):
    """The least multiple of 64 from n on."""
    return -(-n // LANES) * LANES


def _comparison(operator):
    """compare(numbers, begin, other) -> uint64, bit i of which says whether numbers[begin + i] `operator` other.

    numbers: a contiguous array (n,) of unsigned integers.
    """

    @intrinsic
    def compare(typing, numbers, begin, other):
        def generate(context, builder, signature, arguments):
            vector = _vector(context, numbers)
            some = _loaded(builder, builder.gep(_data(context, builder, numbers, arguments[0]), [arguments[1]]), vector)
            nothing, first = ir.Constant(vector, ir.Undefined), ir.Constant(ir.IntType(32), 0)
            one = builder.insert_element(nothing, arguments[2], first)
            others = builder.shuffle_vector(
                one, nothing, ir.Constant(ir.VectorType(first.type, LANES), [first] * LANES)
            )
            return builder.bitcast(builder.icmp_unsigned(operator, some, others), ir.IntType(LANES))

        return types.uint64(numbers, types.intp, numbers.dtype), generate

    return compare


below, at_most, equal = (_comparison(operator) for operator in ("<", "<=", "=="))


@intrinsic
def count(typing, bits):
    """How many bits are set."""
    return types.uint64(types.uint64), lambda context, builder, signature, arguments: builder.ctpop(arguments[0])


@intrinsic
def lowest(typing, bits):
    """Which is the lowest bit that is set; one has to be."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@intrinsic
def add_equal(typing, table, rows, begin, end, wanted, counts):
    """Add to counts (64,) how many of table[rows[begin]] to table[rows[end - 1]] are the wanted (64,), place by place.

    table: (n, 64), wanted and counts: unsigned integers of one type, which has to have room for the counts; rows: int32.
    """

    def generate(context, builder, signature, arguments):
        vector, size = _vector(context, table), arguments[2].type
        numbers, places, others, sums = (
            _data(context, builder, kind, arguments[i]) for i, kind in ((0, table), (1, rows), (4, wanted), (5, counts))
        )
        others, total = (
            _loaded(builder, others, vector),
            cgutils.alloca_once_value(builder, _loaded(builder, sums, vector)),
        )
        with cgutils.for_range_slice(builder, arguments[2], arguments[3], ir.Constant(size, 1), size) as (i, _):
            row = builder.sext(builder.load(builder.gep(places, [i])), size)
            some = _loaded(builder, builder.gep(numbers, [builder.mul(row, ir.Constant(size, LANES))]), vector)
            same = builder.sext(builder.icmp_unsigned("==", some, others), vector)  # -1 where they are
            builder.store(builder.sub(builder.load(total), same), total)
        builder.store(builder.load(total), builder.bitcast(sums, vector.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(table, rows, types.intp, types.intp, wanted, counts), generate


def _vector(context, array):
    return ir.VectorType(context.get_data_type(array.dtype), LANES)


def _data(context, builder, kind, array):
    return context.make_array(kind)(context, builder, array).data


def _loaded(builder, pointer, vector):
    return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=1)
