# pragma version 0.4.3
"""
@title rounds
@license MIT
@notice Which round and stage the swarm is in. When to move on is decided off chain.
"""

import roles

uses: roles

STAGE_COUNT: constant(uint256) = 1


event StageAdvanced:
    roundNumber: indexed(uint256)
    newStage: uint256


event RoundAdvanced:
    newRoundNumber: indexed(uint256)


currentRound: public(uint256)
currentStage: public(uint256)


@external
@pure
def stageCount() -> uint256:
    return STAGE_COUNT


@external
def updateStageAndRound() -> (uint256, uint256):
    """@notice Move to the next stage or round. When to do so is decided off chain."""
    roles.only_stage_manager()
    if self.currentStage + 1 >= STAGE_COUNT:
        self.currentRound += 1
        self.currentStage = 0
        log RoundAdvanced(newRoundNumber=self.currentRound)
    else:
        self.currentStage += 1
    log StageAdvanced(roundNumber=self.currentRound, newStage=self.currentStage)
    return self.currentRound, self.currentStage


@internal
@view
def only_begun(round_number: uint256):
    """@notice Reverts for a round after the current one."""
    if round_number > self.currentRound:
        raw_revert(method_id("InvalidRoundNumber()"))


@internal
@view
def only_open(round_number: uint256, stage_number: uint256):
    """@notice Reverts for a round or a stage that has not begun, and for one that never comes."""
    self.only_begun(round_number)
    if round_number == self.currentRound:
        if stage_number > self.currentStage:
            raw_revert(method_id("InvalidStageNumber()"))
    elif stage_number > STAGE_COUNT:
        # `>`, not `>=`: the original accepts stage == stageCount for past rounds.
        raw_revert(method_id("InvalidStageNumber()"))
