"""The proxy that the coordinator's address belongs to, as a program for the EVM.

Forwards every call to the implementation that stands in its ERC-1967 slot and hands back what that
answers; an upgrade writes another implementation there (upgrades.vy) and all state stays. Vyper
cannot return an answer of unknown length without paying for the longest, so the two dozen
instructions are written out here; the table of opcodes is the Vyper compiler's.
"""

from __future__ import annotations

from eth_utils.crypto import keccak

IMPLEMENTATION_SLOT = int.from_bytes(keccak(text="eip1967.proxy.implementation"), "big") - 1

FORWARD = """
    CALLDATASIZE 0 0 CALLDATACOPY
    0 0 CALLDATASIZE 0 {slot} SLOAD GAS DELEGATECALL
    RETURNDATASIZE 0 0 RETURNDATACOPY
    @answered JUMPI
    RETURNDATASIZE 0 REVERT
    :answered RETURNDATASIZE 0 RETURN
"""
"""What the proxy is. (DELEGATECALL takes gas, address, input and output, topmost first.)"""

DEPLOY = """
    {implementation_size} {implementation_start} 0 CODECOPY
    {implementation_size} 0 0 CREATE
    DUP1 {slot} SSTORE
    DUP1 {upgraded} 0 0 LOG2
    {initialize} 224 SHL 0 MSTORE
    32 DUP1 CODESIZE SUB 4 CODECOPY
    0 0 36 0 {slot} SLOAD GAS DELEGATECALL
    @initialized JUMPI
    RETURNDATASIZE 0 0 RETURNDATACOPY RETURNDATASIZE 0 REVERT
    :initialized {proxy_size} {proxy_start} 0 CODECOPY
    {proxy_size} 0 RETURN
"""
"""Makes the implementation, points the proxy to it and initialises it for the owner, whose address
is the last word of the code: one transaction, so that there is all of it or nothing.
"""


def assemble(program: str, **constants: int) -> bytes:
    """Opcodes by name, numbers pushed, `:label` a place to jump to and `@label` its position."""
    from vyper.evm.opcodes import get_opcodes

    opcodes = get_opcodes()
    code = bytearray()
    labels: dict[str, int] = {}
    wanted: dict[int, str] = {}
    for word in program.format(**constants).split():
        if word.startswith("@"):
            wanted[len(code) + 1] = word[1:]
            code += bytes([0x60, 0])
        elif word.startswith(":"):
            labels[word[1:]] = len(code)
            code.append(opcodes["JUMPDEST"][0])
        elif word.isdigit():
            number = int(word)
            size = (number.bit_length() + 7) // 8
            code.append(0x5F + size)
            code += number.to_bytes(size, "big")
        else:
            code.append(opcodes[word][0])
    for position, label in wanted.items():
        code[position] = labels[label]
    return bytes(code)


def deployer(implementation: bytes) -> bytes:
    """Init code, to which the owner's address is appended as a word."""
    proxy = assemble(FORWARD, slot=IMPLEMENTATION_SLOT)
    size = 0
    while True:
        program = assemble(
            DEPLOY,
            slot=IMPLEMENTATION_SLOT,
            upgraded=int.from_bytes(keccak(text="Upgraded(address)"), "big"),
            initialize=int.from_bytes(keccak(text="initialize(address)")[:4], "big"),
            proxy_start=size,
            proxy_size=len(proxy),
            implementation_start=size + len(proxy),
            implementation_size=len(implementation),
        )
        if len(program) == size:
            return program + proxy + implementation
        size = len(program)
