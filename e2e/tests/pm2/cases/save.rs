//! What comes back?

use crate::case::Step::{About, Fails, Look, Remove, Run, RunWith};
use crate::case::differs;
use crate::differences::Difference::{ExitCode, Instances, NothingSaved};
use crate::programs::{ABOUT, IDLE, SERVER};

cases! {
    what_was_saved {
        files: [("one.js", IDLE), ("two.js", SERVER), ("three.js", IDLE)],
        steps: [
            Run("start one.js"),
            Run("start two.js -i 2"),
            Run("start three.js"),
            Run("stop three"),
            Run("restart one"),
            Look("one online/1; two online/0; two online/0; three stopped/0"),
            Run("save"),
            Run("kill"),
            Run("resurrect"),
            Look("one online; two online; two online; three stopped"),
        ],
        differs: [
            differs(ExitCode, "10 * exit_code", "0", "(absent)"),
            differs(Instances, "10 * instances", "(absent)", "*"),
        ],
    }

    only_what_is_missing {
        files: [("one.js", IDLE), ("two.js", IDLE)],
        steps: [
            Run("start one.js two.js"),
            Run("save"),
            Look("one online/0; two online/0"),
            Run("delete two"),
            Run("resurrect"),
            Look("one online/0; two online/0"),
        ],
        differs: [
            differs(Instances, "6 * two.0 instances", "(absent)", "1"),
        ],
    }

    with_its_environment {
        files: [("app.js", ABOUT)],
        steps: [
            RunWith(&[("COLOR", "blue")], "start app.js -- one"),
            About("about-0.json"),
            Run("save"),
            Run("kill"),
            Remove("about-0.json"),
            RunWith(&[("COLOR", "red"), ("SHAPE", "round")], "resurrect"),
            About("about-0.json"),
        ],
    }

    nothing_was_saved {
        steps: [Run("resurrect"), Look("")],
    }

    nothing_is_there_to_save {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js"),
            Run("save"),
            Run("delete app"),
            Run("save"),
            Run("resurrect"),
            Look("app online/0"),
        ],
        differs: [
            differs(NothingSaved, "4 save | exit", "0", "5"),
            differs(Instances, "6 * instances", "(absent)", "1"),
        ],
    }

    nothing_is_saved_by_force {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js"),
            Run("save"),
            Run("delete app"),
            Run("save --force"),
            Run("resurrect"),
            Look(""),
        ],
    }

    what_was_saved_is_cleared {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js"),
            Run("dump"),
            Run("cleardump"),
            Run("kill"),
            Run("resurrect"),
            Look(""),
        ],
    }

    kill_ends_all {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js"), Run("kill"), Run("kill"), Look(""), Fails("stop app", 5)],
    }
}
