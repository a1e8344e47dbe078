use super::*;
use crate::http::FailureKind;
use crate::misbehave::{Behaviour, Server};
use std::collections::BTreeSet;
use std::net::TcpListener;

const SECONDS: Duration = Duration::from_secs(10);

#[test]
fn a_good_server_answers_all_on_kept_and_on_new_connections() {
    let server = Server::start(Behaviour::Answer);
    let kept = Load::new(server.address()).connections(3).run_until(300);
    kept.assert_no_failures();
    assert_eq!((kept.answered, kept.connections), (300, 3));
    assert_eq!(kept.by_worker["42"], 300);
    assert!(kept.longest > Duration::ZERO && kept.longest <= kept.elapsed);

    let fresh = Load::new(server.address())
        .connections(3)
        .new_connection_each(true)
        .run_until(100);
    fresh.assert_no_failures();
    assert_eq!((fresh.answered, fresh.connections), (100, 100));
}

#[test]
fn every_failure_is_counted_by_its_kind() {
    let server = Server::start(Behaviour::Everything);
    let report = Load::new(server.address())
        .new_connection_each(true)
        .run_until(60);
    assert_eq!(report.answered, 10);
    assert_eq!(report.failed(), 50);
    for kind in [
        FailureKind::ResetBeforeByte,
        FailureKind::ResetAfterByte,
        FailureKind::EofBeforeByte,
        FailureKind::EofAfterByte,
        FailureKind::BadResponse,
    ] {
        assert_eq!(report.failed[&kind], 10, "{kind:?}\n{report}");
    }
    let ports: BTreeSet<u16> = report
        .failures
        .iter()
        .filter_map(|failure| failure.local_port)
        .collect();
    assert!(ports.len() > 1);
    assert!(report.to_string().contains("50 failed"));
}

#[test]
fn refusals_and_timeouts_are_counted_and_end_in_time() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let report = Load::new(address).run_until(Duration::from_millis(50));
    assert_eq!(report.failed[&FailureKind::Refused], report.failed());
    assert!(
        report.failed() > 0 && report.failed() <= 60,
        "a failed client pauses\n{report}"
    );

    let server = Server::start(Behaviour::Hang);
    let load = Load::new(server.address())
        .connections(2)
        .timeout(Duration::from_millis(20));
    let report = load.run_until(4);
    assert_eq!(report.failed[&FailureKind::Timeout], 4);
}

#[test]
fn a_kept_connection_that_was_closed_is_opened_again() {
    let server = Server::start(Behaviour::AnswerTwiceThenEnd);
    // The pause gives the server's end time to arrive; where it does not, that is an idle close.
    let report = Load::new(server.address())
        .pause(Duration::from_millis(2))
        .run_until(20);
    report.assert_no_failures_but_idle_closes();
    assert!(report.connections >= 9, "{report}");
}

#[test]
fn a_load_in_the_background_ends_when_told() {
    let server = Server::start(Behaviour::Answer);
    let load = Load::new(server.address())
        .connections(1)
        .new_connection_each(true);
    let running = load.also_keep_alive(1).run_in_background();
    running.wait_for_more(50, SECONDS);
    let seen = running.answered();
    let report = running.stop();
    assert!(report.answered >= seen && seen >= 50);
    report.assert_no_failures();

    let flag = Arc::new(AtomicBool::new(true));
    assert_eq!(Load::new(server.address()).run_until(flag).answered, 0);
}

#[test]
#[should_panic(expected = "the load had to stop before it was told to")]
fn a_load_that_was_cut_short_proves_nothing() {
    let server = Server::start(Behaviour::Answer);
    let load = Load::new(server.address()).at_most(Duration::from_millis(20));
    load.run_until(u64::MAX).assert_no_failures();
}

#[test]
#[should_panic(expected = "nothing was answered")]
fn a_load_without_answers_proves_nothing() {
    let server = Server::start(Behaviour::Answer);
    Load::new(server.address())
        .run_until(0)
        .assert_no_failures();
}
