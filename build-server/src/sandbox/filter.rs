//! Which system calls a build is refused: those with which it could look into other processes, change what the system
//! looks like, or reach parts of the kernel that no build of a site needs.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Refused whatever their arguments are.
const CALLS: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// Namespaces that `clone` could make.
const NAMESPACES: &[i32] = &[
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];

/// Families of sockets that lead past the protocols of the internet.
const FAMILIES: &[i32] = &[libc::AF_ALG, libc::AF_PACKET, libc::AF_VSOCK];

/// The kind of a socket without its flags.
const KIND: u64 = 0xf;

/// With this bit a call of x86-64 is one of its x32 kind. Few kernels have it, and it may not be a way around.
const X32: i64 = 0x4000_0000;

/// The numbers that calls of [`CALLS`] have there instead: `ptrace`, `process_vm_readv`, `process_vm_writev`,
/// `kexec_load`.
const OF_X32: &[i64] = &[521, 539, 540, 528];

#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Install(#[from] seccompiler::Error),
}

/// Installs it for this process and all that come from it, for ever.
pub(super) fn install() -> Result<(), FilterError> {
    seccompiler::apply_filter(&program(rules()?, libc::EPERM)?)?;
    // The flags of `clone3` are in memory, where no filter can look. Without it, everybody calls `clone`.
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    seccompiler::apply_filter(&program(clone3, libc::ENOSYS)?)?;
    Ok(())
}

fn program(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: i32) -> Result<BpfProgram, BackendError> {
    let refuse = SeccompAction::Errno(errno.unsigned_abs());
    let target = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, target)?.try_into()
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    // No rule for a call means that it is refused always.
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    let namespaces = NAMESPACES.iter().map(|flag| {
        let flag = u64::from(flag.unsigned_abs());
        SeccompRule::new(vec![argument(0, SeccompCmpOp::MaskedEq(flag), flag)?])
    });
    rules.insert(libc::SYS_clone, namespaces.collect::<Result<_, BackendError>>()?);
    rules.insert(libc::SYS_socket, sockets()?);
    let tiocsti = argument(1, SeccompCmpOp::Eq, libc::TIOCSTI)?;
    rules.insert(libc::SYS_ioctl, vec![SeccompRule::new(vec![tiocsti])?]);
    if cfg!(target_arch = "x86_64") {
        let all: Vec<_> = rules.iter().map(|(call, rules)| (call | X32, rules.clone())).collect();
        rules.extend(all);
        rules.extend(OF_X32.iter().map(|call| (call | X32, Vec::new())));
    }
    Ok(rules)
}

fn sockets() -> Result<Vec<SeccompRule>, BackendError> {
    let of = |family: i32| argument(0, SeccompCmpOp::Eq, u64::from(family.unsigned_abs()));
    let raw = || argument(1, SeccompCmpOp::MaskedEq(KIND), u64::from(libc::SOCK_RAW.unsigned_abs()));
    // `NETLINK_ROUTE` tells which addresses the machine has, which tools ask, and without rights it changes nothing.
    let not_routes = argument(2, SeccompCmpOp::Ne, u64::from(libc::NETLINK_ROUTE.unsigned_abs()))?;
    let mut rules = vec![
        SeccompRule::new(vec![of(libc::AF_NETLINK)?, not_routes])?,
        SeccompRule::new(vec![of(libc::AF_INET)?, raw()?])?,
        SeccompRule::new(vec![of(libc::AF_INET6)?, raw()?])?,
    ];
    for family in FAMILIES {
        rules.push(SeccompRule::new(vec![of(*family)?])?);
    }
    Ok(rules)
}

fn argument(index: u8, compare: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, compare, value)
}
