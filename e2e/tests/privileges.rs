//! What needs no privilege works without any, and what is in force is said.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::time::Duration;

use tine_testkit::{RunningTine, Tine, fixture};

const SECONDS: Duration = Duration::from_secs(20);
/// Takes every capability away, from root too.
const BARE: [&str; 4] = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"];

fn bare(policy: Option<&str>) -> RunningTine {
    let mut tine = Tine::workers(fixture("http.js"), 2);
    // Whoever is not root has none to begin with.
    if std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .contains("CapEff:\t0000000000000000")
    {
        eprintln!("already without capabilities");
    } else {
        tine = tine.under(BARE);
    }
    let tine = match policy {
        Some(policy) => tine.balance(policy),
        None => tine,
    };
    tine.start()
}

fn shares(tine: &RunningTine) -> BTreeMap<u32, u32> {
    let mut shares = BTreeMap::new();
    for _ in 0..100 {
        let pid = tine.get("/").unwrap().pid().unwrap();
        *shares.entry(pid).or_default() += 1;
    }
    shares
}

#[test]
fn without_any_capability_kernel_chooses_at_random_and_says_so() {
    let tine = bare(Some("kernel"));
    let ready = tine.wait_ready(SECONDS).text;
    assert!(ready.contains("random by classic BPF"), "{ready}");
    assert_eq!(
        shares(&tine).len(),
        2,
        "100 fair tosses that all fall the same way"
    );
    assert_eq!(tine.stop(), 0);
}

#[test]
fn without_any_capability_auto_is_rr() {
    let tine = bare(None);
    let ready = tine.wait_ready(SECONDS).text;
    assert!(ready.contains("rr: passed on in exact turns"), "{ready}");
    assert_eq!(shares(&tine).into_values().collect::<Vec<_>>(), [50, 50]);
    assert_eq!(tine.stop(), 0);
}

#[test]
fn without_any_capability_a_client_stays_with_its_worker() {
    let tine = bare(Some("sticky"));
    let ready = tine.wait_ready(SECONDS).text;
    assert!(ready.contains("sticky: by client address"), "{ready}");
    assert_eq!(shares(&tine).len(), 1);
    assert_eq!(tine.stop(), 0);
}
