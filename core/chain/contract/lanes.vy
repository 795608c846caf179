# pragma version 0.4.3
"""
@title lanes
@license MIT
@notice Several small numbers in one storage slot. Knows widths and positions, not what they mean.
"""


@internal
@pure
def cut(word: uint256, lane: uint256, width: uint256) -> uint256:
    """@notice The number in one lane of a word; lanes of `width` bits, lane 0 is the lowest."""
    return (word >> unsafe_mul(lane, width)) & ~(max_value(uint256) << width)


@internal
@pure
def put(word: uint256, lane: uint256, width: uint256, number: uint256) -> uint256:
    """@notice The word with another number in one lane. Reverts when the number is too wide."""
    assert number >> width == 0
    offset: uint256 = unsafe_mul(lane, width)
    mask: uint256 = ~(max_value(uint256) << width) << offset
    return (word & ~mask) | (number << offset)
