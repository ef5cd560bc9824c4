//! Many connections that do little, and few that read slowly.

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpStream;

use crate::process::{self, Proxy};
use crate::server::{ask, get};

/// How many connections are idle at the same time, and over how many addresses they come.
const IDLE: usize = 10_000;
const ADDRESSES: usize = 20;

/// What the process may hold in memory with all of them, in KiB.
const MEMORY: u64 = 250 << 10;

/// How many visitors do not read, and what they may cost beyond an idle process, in KiB.
const SLOW: usize = 50;
const SLOW_MEMORY: u64 = 64 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_may_be_idle() {
    allow_open_files();
    let folder = process::site().await;
    let proxy = Proxy::start(&folder, &[("GITDEPLOY_PROXY_ACCESS_LOG", "false")]).await;
    let mut idle: Vec<TcpStream> = Vec::with_capacity(IDLE);
    for batch in 0..IDLE / ADDRESSES {
        let last = |index: usize| u8::try_from(index + 1).unwrap();
        let visits = (0..ADDRESSES).map(async |index| {
            let mut stream = proxy.connect_from(last(index)).await;
            let (head, page) = get(&mut stream, "blog.localhost", "/").await;
            assert!(head.starts_with("HTTP/1.1 200 ") && page == "home", "{head} in batch {batch}");
            stream
        });
        idle.extend(futures_util::future::join_all(visits).await);
    }
    let memory = memory(proxy.running.id());
    assert!(memory < MEMORY, "{memory} KiB for {IDLE} connections");
    let (head, page) = get(&mut proxy.connect().await, "blog.localhost", "/").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && page == "home", "{head}");
    drop(idle);
}

#[tokio::test]
async fn visitors_who_do_not_read_cost_little() {
    let folder = process::site().await;
    let proxy = Proxy::start(&folder, &[]).await;
    get(&mut proxy.connect().await, "blog.localhost", "/").await;
    let before = memory(proxy.running.id());
    let mut held = Vec::new();
    for _ in 0..SLOW {
        let mut stream = proxy.connect().await;
        assert!(ask(&mut stream, "blog.localhost", "/large.bin").await.starts_with("HTTP/1.1 200 "));
        held.push(stream);
    }
    let after = memory(proxy.running.id());
    assert!(after < before + SLOW_MEMORY, "{} KiB for {SLOW} visitors", after - before);
    drop(held);
}

/// The memory that a process holds, in KiB.
fn memory(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// As many open files as the system allows, which the proxy inherits.
fn allow_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    assert!(
        limit.maximum.is_none_or(|most| most > IDLE as u64 + 1000),
        "more files must be allowed to be open"
    );
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}
