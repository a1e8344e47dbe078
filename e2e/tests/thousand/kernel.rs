//! What the kernel says of the processes and descriptors of a home.

use std::collections::BTreeSet;

use crate::support::*;

/// What a daemon uses.
#[derive(Debug)]
pub(crate) struct Figures {
    descriptors: [usize; 2],
    memory: [u64; 2],
    daemon: [u32; 2],
}

pub(crate) fn figures(home: &Home) -> Figures {
    let daemon = [home.keeper(), home.brain()];
    Figures {
        descriptors: daemon.map(|pid| process::fd_count(pid).unwrap()),
        memory: daemon.map(|pid| process::rss_bytes(pid).unwrap()),
        daemon,
    }
}

/// Every process of the list that has a number is a child of the keeper that lives, and the keeper
/// has no others. Apps that crash by themselves may do so between two looks: then both are looked
/// at again.
#[track_caller]
pub(crate) fn agrees(home: &Home) {
    until("the list and the kernel to agree", SECONDS, || {
        let before: BTreeSet<u32> = home.list().iter().filter_map(pid_of).collect();
        let kernel: BTreeSet<u32> = home.workers().into_iter().collect();
        let list = home.list();
        let after: BTreeSet<u32> = list.iter().filter_map(pid_of).collect();
        let missing: Vec<_> = after
            .intersection(&before)
            .filter(|pid| !kernel.contains(pid))
            .collect();
        let further: Vec<_> = kernel
            .difference(&after)
            .filter(|pid| !before.contains(pid))
            .collect();
        // What is up has a number, and what rests has none.
        let odd: Vec<_> = list
            .iter()
            .filter(|one| match one["status"].as_str().unwrap_or_default() {
                "online" => pid_of(one).is_none(),
                "stopped" | "errored" | "waiting restart" => pid_of(one).is_some(),
                _ => false,
            })
            .collect();
        if missing.is_empty() && further.is_empty() && odd.is_empty() {
            Ok(())
        } else {
            let further: Vec<String> = further.into_iter().map(|pid| words(*pid)).collect();
            Err(format!(
                "not alive: {missing:?}, not in the list: {further:?}, odd: {odd:?}"
            ))
        }
    });
}

/// Which process of which app it says it is.
fn words(pid: u32) -> String {
    let whose = ["name", "pm_id", "NODE_APP_INSTANCE"].map(|name| variable(pid, name));
    format!("{pid} {whose:?} {:?}", process::stat(pid))
}

/// No process, no file of one.
#[track_caller]
pub(crate) fn nothing_is_left(home: &Home) {
    assert_eq!(home.list(), Vec::<Value>::new());
    until("nobody below the keeper", SECONDS, || {
        home.workers().is_empty()
    });
    let daemon = [home.keeper(), home.brain()];
    let others: Vec<u32> = home
        .processes()
        .into_iter()
        .filter(|pid| !daemon.contains(pid))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    let files: Vec<_> = std::fs::read_dir(home.tine().join("pids"))
        .unwrap()
        .collect();
    assert!(files.is_empty(), "{files:?}");
    assert_eq!(process::zombies(daemon[0]), Vec::<u32>::new());
}

/// Nothing is left, and the daemon uses hardly more than before the first app.
#[track_caller]
pub(crate) fn is_as_before(home: &Home, before: &Figures) {
    nothing_is_left(home);
    let mut now = figures(home);
    let _ = tine_testkit::wait::try_until(SECONDS, || {
        now = figures(home);
        now.descriptors
            .iter()
            .zip(before.descriptors)
            .all(|(now, before)| *now <= before + 2)
    });
    eprintln!("before {before:?}, now {now:?}");
    assert_eq!(now.daemon, before.daemon);
    for (now, before) in now.descriptors.iter().zip(before.descriptors) {
        assert!(*now <= before + 2, "{now} descriptors instead of {before}");
    }
    // The allocator keeps some; a thousand apps in every state are far more.
    for (now, before) in now.memory.iter().zip(before.memory) {
        assert!(
            *now <= before + (24 << 20),
            "{now} bytes instead of {before}"
        );
    }
}
