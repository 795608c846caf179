"""The settings a node has: types, defaults, bounds and meaning. The manual of the config.

Every section is a frozen dataclass; the docstring under a field is what `waggle config show
--explain` and the settings screen print. Reading files, layers and origins is `config.py`'s work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.texts import _


def setting(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """A dataclass field with what a person should know about it. Bounds are inclusive.

    doc: a text as it stands in the source; the catalogue of texts takes it from there.
    """
    meta = {"doc": _(doc), "low": low, "high": high, "choices": choices, "secret": secret}
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: type(default)(default), metadata=meta)
    return field(default=default, metadata=meta)


@dataclass(frozen=True)
class SwarmSection:
    name: str = setting("waggle", "Name of the swarm; nodes of one swarm use the same.")
    host: bool = setting(False, "Run the swarm's services here: devnet and round clock.")
    nodes: int = setting(
        1, "Nodes to run on this machine, each with its own identity.", low=1, high=16
    )
    genrl: bool = setting(
        False,
        "GenRL 0.3.0 nodes are in the swarm: exchange rollouts with them too, in their own,"
        " unsigned format. Wants a task set that they have (game.tasks: genrl) and their number of"
        " completions (game.generations, 2 as they come).",
    )
    round_timeout_s: float = setting(
        120.0,
        "The clock moves on after this long even when nodes are not done.",
        low=1,
        high=86_400,
    )


@dataclass(frozen=True)
class ModelSection:
    id: str = setting(
        "waggle-tiny",
        "Built-in name, Hugging Face id or local path; or a pool of configs/models.yaml (pool,"
        " code-pool, small-pool): the first start draws a model from it, later ones keep it.",
    )
    device: str = setting("auto", "Where the model runs.", choices=("auto", "cpu", "cuda", "mps"))
    dtype: str = setting(
        "auto", "Number format of the weights.", choices=("auto", "float32", "bfloat16")
    )
    threads: int = setting(
        0, "CPU threads of the trainer; 0 measures and chooses.", low=0, high=512
    )
    max_ram_gib: float = setting(
        0.0, "Memory that the node may use; 0 is what is free. Also --max-ram.", low=0
    )
    max_vram_gib: float = setting(
        0.0, "GPU memory that the node may use; 0 is what is free. Also --max-vram.", low=0
    )


@dataclass(frozen=True)
class GameSection:
    tasks: str = setting("tiny", "Task set: a name in configs/tasks or a path to a YAML file.")
    groups: int = setting(16, "My own tasks per round.", low=1, high=4096)
    generations: int = setting(8, "Completions per task.", low=2, high=256)
    foreign_groups: int = setting(
        8, "Groups of other nodes to train on per round, at most.", low=0, high=4096
    )
    groups_per_peer: int = setting(
        4, "Groups admitted from one peer per round, at most.", low=0, high=4096
    )


@dataclass(frozen=True)
class SamplingSection:
    temperature: float = setting(1.0, "Sampling temperature.", low=0.01, high=10)
    top_k: int = setting(0, "Sample from the k most likely tokens only; 0 is off.", low=0)
    top_p: float = setting(
        1.0, "Sample from the smallest set with this probability.", low=0.01, high=1
    )
    min_p: float = setting(
        0.0, "Drop tokens below this share of the best one's probability.", low=0, high=1
    )
    max_new_tokens: int = setting(256, "Token cap of a completion.", low=1, high=32_768)
    stop_at_answer: bool = setting(
        False, "End a completion at its closing answer tag, as if the model had ended it there."
    )
    rollout_format: str = setting(
        "auto",
        "Number format of the weights while sampling on a CPU; auto measures what pays.",
        choices=("auto", "exact", "bfloat16", "int8"),
    )


@dataclass(frozen=True)
class TrainingSection:
    loss_type: str = setting(
        "dr_grpo", "Loss, as TRL names it.", choices=("grpo", "dapo", "dr_grpo", "gspo", "cispo")
    )
    scale_rewards: str = setting(
        "group",
        "Divide advantages by the standard deviation of ...",
        choices=("group", "batch", "none"),
    )
    recipe: str = setting(
        "auto",
        "What is trained: every weight, or a LoRA adapter; auto takes what fits into memory.",
        choices=("auto", "full", "lora"),
    )
    optimizer: str = setting(
        "auto",
        "Optimiser; auto takes AdamW, or what fits into memory.",
        choices=("auto", "adamw", "adafactor", "adamw8bit"),
    )
    learning_rate: float = setting(1e-6, "Peak learning rate of the full weights.", low=0, high=1)
    lora_learning_rate: float = setting(2e-5, "Peak learning rate of an adapter.", low=0, high=1)
    lora_rank: int = setting(16, "Rank of the adapter.", low=1, high=1024)
    lora_alpha: float = setting(32.0, "The adapter is scaled by alpha / rank.", low=0)
    schedule: str = setting(
        "constant",
        "Learning rate after the warm-up, until schedule_steps.",
        choices=("constant", "linear", "cosine"),
    )
    schedule_steps: int = setting(
        10_000, "Step at which a falling learning rate has reached a tenth of its peak.", low=1
    )
    warmup_steps: int = setting(5, "Steps of linear warm-up.", low=0)
    weight_decay: float = setting(0.0, "Decoupled weight decay.", low=0, high=1)
    max_grad_norm: float = setting(1.0, "Clip the gradient norm here; 0 is off.", low=0)
    epsilon_low: float = setting(0.2, "Lower clip of the ratio.", low=0, high=1)
    epsilon_high: float = setting(0.28, "Upper clip of the ratio.", low=0, high=10)
    delta: float = setting(
        0.0, "Two-sided clip: no ratio counts for more than this; 0 is off.", low=0
    )
    importance_cap: float = setting(
        2.0, "Cap of the weight that corrects for the sampler's own rounding; 0 is off.", low=0
    )
    iterations: int = setting(1, "Optimiser steps over the groups of a round.", low=1, high=64)
    beta: float = setting(0.0, "Weight of the KL term to the starting model.", low=0)
    mask_truncated: bool = setting(True, "Leave truncated completions out of the loss.")
    micro_batch_tokens: int = setting(
        0, "Tokens per forward and backward pass; 0 takes what the memory plan allows.", low=0
    )
    products: str = setting(
        "auto",
        "Number format of an update's matrix products; auto takes bfloat16 where a CPU multiplies"
        " much faster in it. Weights and optimiser stay float32.",
        choices=("auto", "float32", "bfloat16"),
    )
    gradient_checkpointing: str = setting(
        "auto",
        "Compute activations twice instead of keeping them; auto asks the memory plan.",
        choices=("auto", "on", "off"),
    )
    seed: int = setting(0, "Seed of sampling and of every other random choice.", low=0)


@dataclass(frozen=True)
class NetSection:
    enabled: bool = setting(True, "Exchange rollouts with other nodes.")
    listen: str = setting(
        "/ip4/127.0.0.1/tcp/0",
        "Multiaddrs that the node listens on, commas between them: TCP, and QUIC as"
        " /ip4/0.0.0.0/udp/0/quic-v1; port 0 lets the system choose.",
    )
    announce: list[str] = setting(
        [], "Multiaddrs at which others reach this node, where they differ from net.listen."
    )
    bootnodes: list[str] = setting(
        [], "Multiaddrs of nodes to join through; also --bootnode on the command line."
    )
    client_mode: bool = setting(
        False, "Only dial out: listen nowhere, and be reached through relays if net.relay allows."
    )
    relay: str = setting(
        "auto",
        "Let other nodes relay to this one: auto asks them once nobody was able to dial it; off"
        " neither asks nor relays to others.",
        choices=("auto", "always", "off"),
    )
    nat_port_map: bool = setting(False, "Ask the router (UPnP, NAT-PMP) to open the port.")
    lan_discovery: bool = setting(
        True,
        "Find nodes of this swarm on the local network (mDNS); never for a node that listens on"
        " this machine only.",
    )
    max_memory_mib: int = setting(
        512,
        "The sidecar and its libp2p daemon are started again when one takes more than this.",
        low=128,
        high=65_536,
    )
    gather_timeout_s: float = setting(
        20.0, "Wait this long for the rollouts of others.", low=0, high=3600
    )
    max_record_kib: int = setting(
        512, "Largest contribution of one peer in one round.", low=1, high=65_536
    )
    fetch_timeout_s: float = setting(
        5.0, "Give up on one peer's rollouts after this long, and try another.", low=0.1, high=600
    )
    max_gather_kib: int = setting(
        8_192, "Fetch no more than this in one round, from all peers.", low=1, high=1_048_576
    )


@dataclass(frozen=True)
class AdmissionSection:
    """How the contributions of other nodes are judged; `core/gate/admission.py` has the checks."""

    strikes: float = setting(
        2.5, "Leave a peer alone at this many strikes, one a bad contribution; 0 is never.", low=0
    )
    half_life_minutes: float = setting(
        30.0, "Half of a peer's strikes are forgotten after this long.", low=0.1, high=100_000
    )
    quarantine_minutes: float = setting(
        10.0,
        "A peer is left alone for this long the first time, then for twice as long each time, up"
        " to a day.",
        low=0.1,
        high=1_440,
    )
    surprise_margin: float = setting(
        2.5,
        "Refuse a rewarded completion with 8 tokens that surprise the local model by this many nats"
        " each more than what it writes itself; 0 asks nothing.",
        low=0,
        high=100,
    )
    repeated_phrase: int = setting(
        3,
        "Refuse a phrase that this node never writes once one peer's answers to so many different"
        " tasks have it; 0 counts nothing.",
        low=0,
        high=32,
    )
    unsigned_per_peer: int = setting(
        1, "Groups admitted from one unsigned (GenRL) peer per round, at most.", low=0, high=4096
    )
    unsigned_groups: int = setting(
        2, "Groups of unsigned peers to train on per round, all together at most.", low=0, high=4096
    )


@dataclass(frozen=True)
class ChainSection:
    enabled: bool = setting(True, "Record participation with a coordinator contract.")
    coordinator: str = setting(
        "wallet",
        "Who submits: wallet is this home's own account; login a login service (RL-Swarm's"
        " modal-login, or `waggle swarm serve --login-proxy`); read-only nobody, the node only"
        " follows the rounds.",
        choices=("wallet", "login", "read-only"),
    )
    rpc_url: str = setting(
        "",
        "JSON-RPC address of the chain, or several with commas between them: the next one steps in"
        " when one fails. Empty with swarm.host: the devnet here.",
    )
    contract: str = setting(
        "", "Address of the SwarmCoordinator; empty with swarm.host: deployed here."
    )
    chain_id: int = setting(0, "Expected chain id; 0 accepts what the RPC says.", low=0)
    devnet_host: str = setting(
        "127.0.0.1",
        "Address at which the nodes of a swarm hosted here reach its devnet; 127.0.0.1 is this"
        " machine only. The devnet has no password: see `waggle invite --help`.",
    )
    devnet_port: int = setting(
        0, "Port of the devnet; 0 lets the system choose.", low=0, high=65_535
    )
    devnet_calls_per_s: float = setting(
        50.0,
        "Calls per second that the devnet answers each other address, and with it their"
        " transactions (docs/devnet.md); 0 is no limit. This machine has none.",
        low=0,
        high=100_000,
    )
    passphrase_file: str = setting(
        "",
        "File with the passphrase of an account that its owner locked; its first line counts. See"
        " `waggle account passphrase --help`.",
    )
    login_url: str = setting(
        "http://localhost:3000",
        "Address of the login service, for coordinator: login; RL-Swarm's modal-login or"
        " `waggle swarm serve --login-proxy`.",
    )
    login_data: str = setting(
        "",
        "Folder with the login's userData.json; empty looks in modal-login/temp-data here and in"
        " ~/rl-swarm.",
    )
    org_id: str = setting(
        "",
        "ORG_ID of the login; empty takes the environment variable ORG_ID, or what the login left"
        " in its folder. Whoever knows it submits in your name.",
        secret=True,
    )
    call_timeout_s: float = setting(10.0, "Deadline of one call to the chain.", low=0.1, high=600)
    max_fee_gwei: float = setting(
        50.0, "Never pay more than this per gas, base fee and tip together.", low=0, high=1e6
    )
    max_tip_gwei: float = setting(
        5.0, "Of that, never give more than this to whoever mines the block.", low=0, high=1e6
    )
    replace_after_s: float = setting(
        45.0,
        "Offer more for a transaction that is not mined after this long.",
        low=1,
        high=86_400,
    )
    max_replacements: int = setting(
        6, "Offer more for one transaction at most this often.", low=0, high=50
    )
    confirmations: int = setting(
        3,
        "Blocks until a receipt counts as final, its own one included; until then a reorganisation"
        " is looked for, and what it took away is sent again.",
        low=1,
        high=10_000,
    )
    submit_every_rounds: int = setting(
        1,
        "Submit the rewards of so many rounds as one sum, with one vote; 0 leaves it to"
        " chain.submit_every_minutes. The clock of a swarm hosted by Waggle waits for each node's"
        " reward: with more than 1 its rounds last swarm.round_timeout_s.",
        low=0,
        high=100_000,
    )
    submit_every_minutes: float = setting(
        0.0,
        "Submit what waits after so many minutes, if chain.submit_every_rounds has not come first;"
        " counted from the last submission, across restarts. 0 is off; the original does 180.",
        low=0,
        high=525_600,
    )
    participation_bonus: int = setting(
        0,
        "Added to the reward of a round that earned something; the original adds 1.",
        low=0,
        high=1_000_000,
    )


@dataclass(frozen=True)
class CheckpointSection:
    every_rounds: int = setting(5, "Save after this many rounds.", low=1)
    keep: int = setting(3, "Checkpoints kept, at most.", low=1)
    max_gib: float = setting(
        0.0, "Disk that checkpoints may take; the newest always stays; 0 is no limit.", low=0
    )


@dataclass(frozen=True)
class EvalSection:
    every_rounds: int = setting(0, "Held-out evaluation after this many rounds; 0 is never.", low=0)
    tasks: int = setting(200, "Held-out tasks.", low=1)
    samples: int = setting(4, "Samples per task at temperature 1.", low=1)


@dataclass(frozen=True)
class ConsoleSection:
    refresh_hz: float = setting(2.0, "Looks at the node this often.", low=0.2, high=4)
    theme: str = setting(
        "waggle",
        "Colours: waggle, waggle-light, waggle-colourblind, or any theme that Textual has.",
    )
    ascii: bool = setting(False, "Draw with ASCII characters only.")
    on_hangup: str = setting(
        "stop",
        "What the node does when its terminal goes away: stop cleanly, or continue without one.",
        choices=("stop", "continue"),
    )
    notify: str = setting(
        "off",
        "Tell, once, that the verdict has changed: ring the terminal's bell, or send a notification"
        " (osc9: iTerm2, WezTerm, kitty, Windows Terminal).",
        choices=("off", "bell", "osc9"),
    )


@dataclass(frozen=True)
class LogSection:
    level: str = setting(
        "info", "Least level written.", choices=("debug", "info", "warning", "error")
    )
    max_mib: int = setting(10, "Size at which the log file is rotated.", low=1)


@dataclass(frozen=True)
class Config:
    """The whole configuration of a node."""

    swarm: SwarmSection = field(default_factory=SwarmSection)
    model: ModelSection = field(default_factory=ModelSection)
    game: GameSection = field(default_factory=GameSection)
    sampling: SamplingSection = field(default_factory=SamplingSection)
    training: TrainingSection = field(default_factory=TrainingSection)
    net: NetSection = field(default_factory=NetSection)
    admission: AdmissionSection = field(default_factory=AdmissionSection)
    chain: ChainSection = field(default_factory=ChainSection)
    checkpoint: CheckpointSection = field(default_factory=CheckpointSection)
    eval: EvalSection = field(default_factory=EvalSection)
    console: ConsoleSection = field(default_factory=ConsoleSection)
    log: LogSection = field(default_factory=LogSection)
