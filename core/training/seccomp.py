"""A seccomp filter for a process that only computes: Linux on x86-64 and ARM64, see seccomp(2).

Refuses with EPERM what makes processes, talks to a network, changes or creates files, or looks into
other processes. It knows system call numbers and classic BPF; it needs no library. On other
platforms `install` says no, and the other layers of `sandbox` stand alone.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
import sys

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _JUMP_EQ, _JUMP_GE, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _ARGS = 0, 4, 16

# open(2) flags that write or create; O_TMPFILE lies within O_RDWR | O_WRONLY.
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_EVERYWHERE = {"io_uring_setup": 425, "pidfd_open": 434, "clone3": 435, "openat2": 437}
_X86_64 = {
    "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "sendmsg": 46, "bind": 49,
    "listen": 50, "socketpair": 53, "clone": 56, "fork": 57, "vfork": 58, "execve": 59,
    "kill": 62, "truncate": 76, "ftruncate": 77, "rename": 82, "mkdir": 83, "rmdir": 84,
    "creat": 85, "link": 86, "unlink": 87, "symlink": 88, "chmod": 90, "fchmod": 91,
    "chown": 92, "ptrace": 101, "mknod": 133, "prctl": 157, "setrlimit": 160, "chroot": 161,
    "mount": 165, "umount2": 166, "add_key": 248, "keyctl": 250, "mkdirat": 258,
    "mknodat": 259, "fchownat": 260, "unlinkat": 263, "renameat": 264, "linkat": 265,
    "symlinkat": 266, "fchmodat": 268, "unshare": 272, "accept4": 288, "prlimit64": 302,
    "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "renameat2": 316,
    "seccomp": 317, "memfd_create": 319, "bpf": 321, "execveat": 322,
}  # fmt: skip
_ARM64 = {
    "mknodat": 33, "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37,
    "renameat": 38, "umount2": 39, "mount": 40, "truncate": 45, "ftruncate": 46, "chroot": 51,
    "fchmod": 52, "fchmodat": 53, "fchownat": 54, "unshare": 97, "ptrace": 117, "kill": 129,
    "setrlimit": 164, "prctl": 167, "socket": 198, "socketpair": 199, "bind": 200,
    "listen": 201, "accept": 202, "connect": 203, "sendto": 206, "sendmsg": 211,
    "add_key": 217, "keyctl": 219, "clone": 220, "execve": 221, "accept4": 242,
    "prlimit64": 261, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271,
    "renameat2": 276, "seccomp": 277, "memfd_create": 279, "bpf": 280, "execveat": 281,
}  # fmt: skip
# machine: (AUDIT_ARCH, refused calls, calls that open: number -> position of the flags)
_MACHINES = {
    "x86_64": (0xC000003E, _X86_64, {2: 1, 257: 2}),
    "aarch64": (0xC00000B7, _ARM64, {56: 2}),
}


def install() -> bool:
    """Put the filter on this process, for good. False where there is none for the platform."""
    if not sys.platform.startswith("linux") or platform.machine() not in _MACHINES:
        return False
    import ctypes

    code = program(platform.machine())
    buffer = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    filter_program = Program(len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    # prctl is variadic and the kernel reads whole registers: each argument as a long.
    one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, one, none, none, none) != 0:
        return False
    mode = ctypes.c_ulong(_MODE_FILTER)
    return bool(libc.prctl(_PR_SET_SECCOMP, mode, ctypes.byref(filter_program), none, none) == 0)


def program(machine: str) -> bytes:
    """The classic BPF program: 8 bytes an instruction, little-endian."""
    arch, refused, opening = _MACHINES[machine]
    refuse = _step(_RETURN, value=_ERRNO | errno.EPERM)
    steps = [
        _step(_LOAD, value=_ARCH),
        _step(_JUMP_EQ, yes=1, value=arch),
        _step(_RETURN, value=_KILL),
        _step(_LOAD, value=_NR),
        # The x32 calls of x86-64 have this bit; they would slip through the numbers below.
        _step(_JUMP_GE, no=1, value=0x40000000),
        refuse,
    ]
    for number in sorted({*refused.values(), *_EVERYWHERE.values()}):
        steps += [_step(_JUMP_EQ, no=1, value=number), refuse]
    for number, position in opening.items():
        steps += [
            _step(_JUMP_EQ, no=4, value=number),
            _step(_LOAD, value=_ARGS + 8 * position),
            _step(_JUMP_SET, no=1, value=_WRITING),
            refuse,
            _step(_RETURN, value=_ALLOW),
        ]
    steps.append(_step(_RETURN, value=_ALLOW))
    return b"".join(steps)


def _step(code: int, *, yes: int = 0, no: int = 0, value: int) -> bytes:
    return struct.pack("<HBBI", code, yes, no, value)
