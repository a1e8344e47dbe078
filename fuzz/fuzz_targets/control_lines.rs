//! Can any bytes make the reading of a request or of a server's line panic, or be taken for what
//! they are not? What is read must be written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tine_control::app::Changes;
use tine_control::line::{self, ServerLine};
use tine_control::request::{self, VERBS};
use tine_control::{AppSpec, Request};

fuzz_target!(|data: &[u8]| {
    if let Ok((id, request)) = request::read(data) {
        let again = request.to_line(id).expect("what came as JSON goes as JSON");
        assert_eq!(again.iter().filter(|byte| **byte == b'\n').count(), 1);
        let (id_again, same) = request::read(&again).expect("what was written is read");
        assert_eq!((id_again, &same), (id, &request));
        if let Request::Start(start) = request {
            start.apps.iter().for_each(checked);
        }
    }
    if let Ok(line) = ServerLine::read(data) {
        server_line(line);
    }
    if let Ok(changes) = serde_json::from_slice::<Changes>(data) {
        if let Ok(app) = AppSpec::new("a", "/a", "/").changed(&changes) {
            assert_eq!(app.check(), [], "a change is checked");
        }
    }
});

/// An app without problems has them neither when it was written and read.
fn checked(app: &AppSpec) {
    let problems = app.check();
    let text = serde_json::to_string(app).expect("what came as JSON goes as JSON");
    let same: AppSpec = serde_json::from_str(&text).expect("what was written is read");
    assert_eq!(&same, app);
    assert_eq!(same.check(), problems);
}

fn server_line(line: ServerLine) {
    match line {
        ServerLine::Ok(id, ok) => {
            for word in VERBS {
                if let Ok(answer) = request::read_answer(word, ok.get()) {
                    line::reply(id, &Ok(answer)).expect("what came as JSON goes as JSON");
                }
            }
        }
        ServerLine::Failed(id, failure) => {
            let again = line::failed(id, &failure).expect("it is written");
            assert!(matches!(
                ServerLine::read(&again),
                Ok(ServerLine::Failed(same_id, same)) if (same_id, &same) == (id, &failure)
            ));
        }
        ServerLine::Event(event) => {
            line::event(&event).expect("it is written");
        }
        ServerLine::Note(id, note) => {
            line::note(id, &note).expect("it is written");
        }
        ServerLine::Gap(_) | ServerLine::Unknown => {}
    }
}
