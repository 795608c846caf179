# pragma version 0.4.3
"""
@title bootnodes
@license MIT
@notice The addresses at which a newcomer finds the swarm.
"""

import roles

uses: roles

MAX_BOOTNODE: constant(uint256) = 256
MAX_BOOTNODES: constant(uint256) = 64


event BootnodesAdded:
    manager: indexed(address)
    count: uint256


event BootnodeRemoved:
    manager: indexed(address)
    index: uint256


event AllBootnodesCleared:
    manager: indexed(address)


bootnodes: DynArray[String[MAX_BOOTNODE], MAX_BOOTNODES]


@external
def addBootnodes(newBootnodes: DynArray[String[MAX_BOOTNODE], MAX_BOOTNODES]):
    roles.only_bootnode_manager()
    for bootnode: String[MAX_BOOTNODE] in newBootnodes:
        self.bootnodes.append(bootnode)
    log BootnodesAdded(manager=msg.sender, count=len(newBootnodes))


@external
def removeBootnode(index: uint256):
    """@notice The last one takes the place of the removed one."""
    roles.only_bootnode_manager()
    if index >= len(self.bootnodes):
        raw_revert(method_id("InvalidBootnodeIndex()"))
    last: String[MAX_BOOTNODE] = self.bootnodes.pop()
    if index < len(self.bootnodes):
        self.bootnodes[index] = last
    log BootnodeRemoved(manager=msg.sender, index=index)


@external
def clearBootnodes():
    roles.only_bootnode_manager()
    self.bootnodes = []
    log AllBootnodesCleared(manager=msg.sender)


@external
@view
def getBootnodes() -> DynArray[String[MAX_BOOTNODE], MAX_BOOTNODES]:
    return self.bootnodes


@external
@view
def getBootnodesCount() -> uint256:
    return len(self.bootnodes)
