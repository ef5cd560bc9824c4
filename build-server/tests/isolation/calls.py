"""Tries system calls that a build is refused, and some that it needs, and prints what came of each."""

import ctypes
import errno
import platform
import socket

libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = {
    "x86_64": {
        "ptrace": 101, "process_vm_readv": 310, "bpf": 321, "perf_event_open": 298, "keyctl": 250, "mount": 165,
        "umount2": 166, "unshare": 272, "setns": 308, "io_uring_setup": 425, "userfaultfd": 323, "clone3": 435,
        "open_tree": 428, "pidfd_getfd": 438, "clone": 56, "x32 ptrace": 521 | 0x40000000,
        "x32 unshare": 272 | 0x40000000,
    },
    "aarch64": {
        "ptrace": 117, "process_vm_readv": 270, "bpf": 280, "perf_event_open": 241, "keyctl": 219, "mount": 40,
        "umount2": 39, "unshare": 97, "setns": 268, "io_uring_setup": 425, "userfaultfd": 282, "clone3": 435,
        "open_tree": 428, "pidfd_getfd": 438, "clone": 220,
    },
}[platform.machine()]
CLONE_NEWUSER, SIGCHLD = 0x10000000, 17


def tell(name, error):
    print(name, errno.errorcode.get(error, error) if error else "OK", flush=True)


def call(name, *arguments):
    result = libc.syscall(NUMBERS[name], *arguments)
    tell(name, ctypes.get_errno() if result == -1 else 0)


def open_socket(name, *arguments):
    try:
        socket.socket(*arguments).close()
        tell(name, 0)
    except OSError as error:
        tell(name, error.errno)


for name in NUMBERS:
    call(name, *([CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0] if name == "clone" else [CLONE_NEWUSER, 0, 0, 0, 0]))

NETLINK_NETFILTER = 12
open_socket("packet", socket.AF_PACKET, socket.SOCK_DGRAM)
open_socket("raw", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
open_socket("raw6", socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_ICMPV6)
open_socket("netfilter", socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
open_socket("alg", socket.AF_ALG, socket.SOCK_SEQPACKET)
open_socket("tcp", socket.AF_INET, socket.SOCK_STREAM)
open_socket("routes", socket.AF_NETLINK, socket.SOCK_RAW, 0)
