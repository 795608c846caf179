# pragma version 0.4.3
"""
@title upgrades
@license MIT
@notice The implementation's half of an upgradeable contract: which code stands behind the proxy
        (ERC-1967), how its owner replaces it (ERC-1822, UUPS), and initialising once. Errors,
        events, slots and the order of the checks are those of OpenZeppelin 5, which the original
        coordinator builds on.
@dev    The two variables are at the slots that these standards name: see layout.json.
"""

import roles

uses: roles


event Upgraded:
    implementation: indexed(address)


event Initialized:
    version: uint64


IMPLEMENTATION_SLOT: constant(
    bytes32
) = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc
MAX_CALL: constant(uint256) = 8192

# This code's own address, in its bytecode: behind a proxy `self` is another one.
HERE: immutable(address)

implementation: address
initialized: uint64


@deploy
def __init__():
    HERE = self
    # The implementation itself is nobody's: only proxies of it can be initialised.
    self.initialized = max_value(uint64)
    log Initialized(version=max_value(uint64))


@internal
def once():
    """@notice Reverts unless this is the first time, of this proxy."""
    if self.initialized != 0:
        raw_revert(method_id("InvalidInitialization()"))
    self.initialized = 1
    log Initialized(version=1)


@external
@view
def UPGRADE_INTERFACE_VERSION() -> String[5]:
    return "5.0.0"


@external
@view
def proxiableUUID() -> bytes32:
    """@notice Answered by an implementation, so that a proxy is never made one."""
    if self != HERE:
        raw_revert(method_id("UUPSUnauthorizedCallContext()"))
    return IMPLEMENTATION_SLOT


@external
@payable
def upgradeToAndCall(newImplementation: address, data: Bytes[MAX_CALL]):
    """@notice Put other code behind the proxy, and call it with `data` unless that is empty."""
    if self == HERE or self.implementation != HERE:
        raw_revert(method_id("UUPSUnauthorizedCallContext()"))
    roles.only_owner()
    answered: bool = False
    answer: Bytes[32] = b""
    answered, answer = raw_call(
        newImplementation,
        method_id("proxiableUUID()"),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    if not answered or len(answer) < 32:
        raw_revert(
            abi_encode(
                newImplementation, method_id=method_id("ERC1967InvalidImplementation(address)")
            )
        )
    slot: bytes32 = convert(answer, bytes32)
    if slot != IMPLEMENTATION_SLOT:
        raw_revert(
            abi_encode(slot, method_id=method_id("UUPSUnsupportedProxiableUUID(bytes32)"))
        )
    self.implementation = newImplementation
    log Upgraded(implementation=newImplementation)
    if len(data) > 0:
        raw_call(newImplementation, data, is_delegate_call=True)
    elif msg.value > 0:
        raw_revert(method_id("ERC1967NonPayable()"))
