//! A primary in a process of its own, which is killed, and this test, which holds its facts.

use super::{Cluster, DEADLINE, Outside, launch, settings};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Instant;
use tine_cluster::primary::{Event, Policy, Primary};
use tine_sys::spawn::{Child, Spawn, spawn};
use tine_testkit::Runtime;

/// Names the connection to the test in the process that is killed.
const KEEPER: &str = "TINE_CLUSTER_TEST_KEEPER";
const ARGUMENTS: [&str; 4] = ["POLICY", "NODE", "FOLDER", "PORT"];
const WORKERS: u32 = 2;
/// Said in place of a descriptor's name.
const TEXT: &str = "text";

/// A primary that runs, with two workers that listen, and what it has given to be held.
pub(crate) struct Killed {
    pub(crate) port: u16,
    pub(crate) json: String,
    pub(crate) held: BTreeMap<String, OwnedFd>,
    policy: Policy,
    brain: Option<Child>,
    folder: Option<tempfile::TempDir>,
}

/// Runs the test of this name a second time, in a process whose primary can be killed. In that process
/// it does not return.
pub(crate) fn start(test: &str, policy: Policy, script: &str) -> Killed {
    if let Some(keeper) = tine_sys::inherited::take_channel(KEEPER).unwrap() {
        be_the_brain(&keeper);
    }
    tine_sys::tree::become_subreaper().unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("worker.js"), script).unwrap();
    let port = tine_testkit::ports::free_tcp();
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    let c = |text: &str| CString::new(text).unwrap();
    let own = std::env::current_exe().unwrap();
    let values = [
        serde_json::to_string(&policy).unwrap(),
        Runtime::Node20.path().to_str().unwrap().to_owned(),
        folder.path().to_str().unwrap().to_owned(),
        port.to_string(),
    ];
    let all = ARGUMENTS.iter().zip(&values);
    let mut env: Vec<CString> = all.map(|(name, it)| c(&format!("{name}={it}"))).collect();
    env.push(c(&format!("{KEEPER}=3")));
    let request = Spawn {
        argv: ["facts", "--exact", test, "--nocapture", "--quiet"]
            .map(c)
            .to_vec(),
        env,
        fds: vec![(theirs.as_fd(), 3)],
        // Should the test fail.
        parent_death_signal: Some(9),
        ..Spawn::new(c(own.to_str().unwrap()))
    };
    let brain = spawn(&request).unwrap();
    drop(request);
    drop(theirs);
    let mut killed = Killed {
        port,
        json: String::new(),
        held: BTreeMap::new(),
        policy,
        brain: Some(brain),
        folder: Some(folder),
    };
    let mut names = Vec::new();
    loop {
        let (name, fd) = receive(&ours);
        if name != TEXT {
            names.push(name.clone());
            killed.held.insert(name, fd);
            continue;
        }
        // What is not named any more is let go of.
        killed.held.retain(|name, _| names.contains(name));
        names.clear();
        let mut file = File::from(fd);
        file.seek(SeekFrom::Start(0)).unwrap();
        killed.json.clear();
        file.read_to_string(&mut killed.json).unwrap();
        if killed.listening() == WORKERS as usize {
            return killed;
        }
    }
}

impl Killed {
    fn document(&self) -> serde_json::Value {
        serde_json::from_str(&self.json).unwrap()
    }

    fn listening(&self) -> usize {
        let document = self.document();
        let handles = document["primary"]["handles"].as_array().unwrap();
        let members = handles
            .iter()
            .flat_map(|it| it["members"].as_array().unwrap());
        members.filter(|it| it[1] == true).count()
    }

    pub(crate) fn worker_pids(&self) -> Vec<u32> {
        let document = self.document();
        let workers = document["primary"]["workers"].as_array().unwrap();
        let pids = workers.iter().map(|it| it["pid"].as_u64().unwrap());
        pids.map(|pid| u32::try_from(pid).unwrap()).collect()
    }

    /// Waits until each worker has been sent something that it has not read.
    pub(crate) fn until_all_are_given_something(&self) {
        let end = Instant::now() + DEADLINE;
        let channels = (1..=WORKERS).map(|number| &self.held[&format!("channel-{number}")]);
        for channel in channels {
            while tine_sys::socket::unread_by_peer(channel.as_fd()).unwrap() == 0 {
                assert!(Instant::now() < end, "nothing was sent");
                std::thread::yield_now();
            }
        }
    }

    fn kill(&mut self) {
        if let Some(brain) = self.brain.take() {
            let _ = tine_sys::tree::signal_pidfd(brain.pidfd.as_fd(), 9);
            waitid(WaitId::PidFd(brain.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap();
        }
    }

    /// Kills the primary; the one that comes after it.
    pub(crate) fn restore(self) -> Cluster {
        self.restore_after(|| ())
    }

    /// As [`restore`](Self::restore), when something else has happened meanwhile.
    pub(crate) fn restore_after(mut self, meanwhile: impl FnOnce()) -> Cluster {
        self.kill();
        meanwhile();
        let mut held = std::mem::take(&mut self.held);
        let mut take = |name: &str| held.remove(name);
        let folder = self.folder.take().unwrap();
        let mut cluster = Cluster::with(folder, Runtime::Node20, self.port, || {
            Primary::restore(settings(self.policy), &self.json, &mut take).unwrap()
        });
        assert!(held.is_empty(), "nobody asked for {held:?}");
        let mut outside = Outside::default();
        for state in cluster.primary.workers() {
            outside.adopt(state.id, state.pid);
        }
        cluster.outside = Some(outside);
        cluster
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.kill();
        if self.folder.is_none() {
            // The cluster has the workers.
            return;
        }
        for pid in self.worker_pids() {
            let pid = Pid::from_raw(i32::try_from(pid).unwrap());
            if let Some(pidfd) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) {
                let _ = tine_sys::tree::signal_pidfd(pidfd.as_fd(), 9);
                let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
            }
        }
    }
}

/// Serves, and gives its facts to the test whenever they have changed. Never ends by itself.
fn be_the_brain(keeper: &OwnedFd) -> ! {
    let [policy, node, folder, port] = ARGUMENTS.map(|name| std::env::var(name).unwrap());
    let policy: Policy = serde_json::from_str(&policy).unwrap();
    let (node, folder) = (PathBuf::from(node), PathBuf::from(folder));
    let port = port.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut primary = Primary::new(settings(policy)).unwrap();
        primary.tell_changes();
        for seat in 0..WORKERS {
            let launch = launch(&node, &folder, port, seat);
            let birth = primary.prepare(launch).unwrap();
            let child = spawn(&birth.spawn()).unwrap();
            primary.born(birth, child.pid, Some(child.pidfd)).unwrap();
        }
        loop {
            if let Event::Changed = primary.next_event().await.unwrap() {
                let facts = primary.facts().unwrap();
                for (name, fd) in &facts.descriptors {
                    send(keeper, name, *fd);
                }
                let flags = rustix::fs::MemfdFlags::CLOEXEC;
                let mut text = File::from(rustix::fs::memfd_create("facts", flags).unwrap());
                text.write_all(facts.json.as_bytes()).unwrap();
                send(keeper, TEXT, text.as_fd());
            }
        }
    })
}

fn send(to: &OwnedFd, name: &str, fd: BorrowedFd<'_>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [fd];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let bytes = [IoSlice::new(name.as_bytes())];
    sendmsg(to, &bytes, &mut control, SendFlags::NOSIGNAL).unwrap();
}

fn receive(from: &OwnedFd) -> (String, OwnedFd) {
    let patience = Timespec {
        tv_sec: i64::try_from(DEADLINE.as_secs()).unwrap(),
        tv_nsec: 0,
    };
    let ready = poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&patience)).unwrap();
    assert_eq!(ready, 1, "the primary says nothing more");
    let mut name = [0; 64];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut into = [IoSliceMut::new(&mut name)];
    let received = recvmsg(from, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    let fds = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => fds.collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    let fd = fds.last().expect("the primary has ended");
    let name = String::from_utf8(name[..received.bytes].to_vec()).unwrap();
    (name, fd)
}
