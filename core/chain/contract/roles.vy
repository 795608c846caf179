# pragma version 0.4.3
"""
@title roles
@license MIT
@notice Who may do what. Any role id can be granted; three of them mean something here.
"""


event RoleGranted:
    role: indexed(bytes32)
    account: indexed(address)
    sender: indexed(address)


event RoleRevoked:
    role: indexed(bytes32)
    account: indexed(address)
    sender: indexed(address)


OWNER_ROLE: public(constant(bytes32)) = keccak256("OWNER_ROLE")
STAGE_MANAGER_ROLE: public(constant(bytes32)) = keccak256("STAGE_MANAGER_ROLE")
BOOTNODE_MANAGER_ROLE: public(constant(bytes32)) = keccak256("BOOTNODE_MANAGER_ROLE")

hasRole: public(HashMap[bytes32, HashMap[address, bool]])


@internal
def grant(role: bytes32, account: address):
    self.hasRole[role][account] = True
    log RoleGranted(role=role, account=account, sender=msg.sender)


@internal
@view
def only_owner():
    if not self.hasRole[OWNER_ROLE][msg.sender]:
        raw_revert(method_id("OnlyOwner()"))


@internal
@view
def only_stage_manager():
    if not self.hasRole[STAGE_MANAGER_ROLE][msg.sender]:
        raw_revert(method_id("OnlyStageManager()"))


@internal
@view
def only_bootnode_manager():
    if not self.hasRole[BOOTNODE_MANAGER_ROLE][msg.sender]:
        raw_revert(method_id("OnlyBootnodeManager()"))


@external
def grantRole(role: bytes32, account: address):
    """@notice Any role id is accepted; granting twice changes nothing."""
    self.only_owner()
    self.grant(role, account)


@external
def revokeRole(role: bytes32, account: address):
    """@notice An owner may revoke itself: there is no guard for the last one."""
    self.only_owner()
    self.hasRole[role][account] = False
    log RoleRevoked(role=role, account=account, sender=msg.sender)
