//! Does tine do what PM2 does?

use crate::case::Case;
use crate::manager::{Kind, Manager};
use crate::walk::Walk;
use std::os::unix::fs::PermissionsExt as _;
use std::{env, fs, thread};

/// Runs a case with both at the same time.
///
/// # Panics
/// When they differ in something that the case does not name, or do not in something that it names.
pub(crate) fn compare(cases: &[Case], name: &str) {
    let case = cases.iter().find(|case| case.name == name).unwrap();
    let run = |kind: Kind| {
        let manager = Manager::new(kind);
        for (name, text) in case.files {
            let path = manager.work().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            if text.starts_with("#!") {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        let mut walk = Walk::new(manager);
        for (number, step) in case.steps.iter().enumerate() {
            walk.take(number + 1, step);
        }
        walk
    };
    let (pm2, tine) = thread::scope(|scope| {
        let pm2 = scope.spawn(|| run(Kind::Pm2));
        let tine = run(Kind::Tine);
        (pm2.join(), tine)
    });
    let pm2 = pm2.unwrap_or_else(|_| panic!("{name}: PM2's run failed, see above"));
    if env::var_os("TINE_TEST_FACTS").is_some() {
        eprintln!(
            "{name}\nPM2:\n{}tine:\n{}",
            pm2.facts.all(),
            tine.facts.all()
        );
    }
    let text = pm2.facts.differences(&tine.facts, case.differs);
    assert!(
        text.is_empty(),
        "{name}:\n{text}\nwhat was said:\n PM2:\n{} tine:\n{}",
        pm2.said,
        tine.said
    );
}
