//! What is an app called, and which files get its name?

use crate::case::Step::{Fails, Lines, Look, LookEach, Names, Run};
use crate::case::differs;
use crate::differences::Difference::{OneApp, PidFileNames};
use crate::programs::{IDLE, TALK};

cases! {
    the_name_of_the_file_without_its_last_extension {
        files: [("a/b.c.js", IDLE)],
        steps: [Run("start ./a/b.c.js"), Look("b.c online/0"), Names("home/pids", 1)],
    }

    the_name_of_a_command {
        steps: [Run("start 'sleep 1000'"), Look("sleep 1000 online/0")],
    }

    the_name_of_a_command_with_a_script {
        files: [("app.py", "import signal\nsignal.pause()\n")],
        steps: [Run("start 'python3 app.py --a'"), Look("python3 app online/0")],
    }

    a_name_of_ones_own {
        files: [("app.js", TALK)],
        steps: [
            Run("start app.js --name web"),
            Look("web online/0"),
            Lines("home/logs/web-out.log", 1),
            Names("home/logs", 2),
            Names("home/pids", 1),
        ],
    }

    letters_that_files_do_not_get {
        files: [("app.js", TALK)],
        steps: [
            Run("start app.js --name 'my_app: é 1'"),
            Look("my_app: é 1 online/0"),
            Names("home/logs", 2),
            Names("home/pids", 1),
        ],
        differs: [
            differs(PidFileNames, "4 home/pids", "my-app----0.pid", "my-app----1-0.pid"),
        ],
    }

    a_name_that_is_a_number {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js --name 7"),
            Look("7 online/0"),
            Run("stop 7"),
            Look("7 stopped/0"),
        ],
    }

    a_namespace {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js --name one --namespace shop"),
            Run("start app.js --name two --namespace shop"),
            Run("start app.js --name three"),
            Look("one online/0; two online/0; three online/0"),
            Run("stop shop"),
            Look("one stopped/0; two stopped/0; three online/0"),
            Run("start shop"),
            Look("one online/0; two online/0; three online/0"),
            Run("restart shop"),
            Look("one online/1; two online/1; three online/0"),
            Run("delete shop"),
            Look("three online/0"),
        ],
    }

    a_new_name_by_restart {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js"), Run("restart app --name web"), Look("web online/1")],
    }

    names_with_other_case_are_other_names {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js"), Fails("stop App", 5), Look("app online/0")],
    }

    a_name_that_ends_in_a_number {
        files: [("app.js", TALK)],
        steps: [
            Run("start app.js --name web-1"),
            Run("start app.js --name web-2"),
            Lines("home/logs/web-1-out.log", 1),
            Names("home/logs", 4),
            Names("home/pids", 2),
        ],
        differs: [
            differs(PidFileNames, "5 home/pids", "web-0.pid web-1.pid", "web-1-0.pid web-2-1.pid"),
        ],
    }

    one_name_in_two_namespaces {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js --name web --namespace a"),
            Run("start app.js --name web --namespace b -f"),
            LookEach { pm2: "web online/0; web online/0", tine: "web online/0" },
        ],
        differs: [
            differs(OneApp, "2 * | exit", "0", "1"),
            differs(OneApp, "3 list | web.1 *", "*", "(absent)"),
        ],
    }

    another_script_under_a_name_that_is_there {
        files: [("one.js", IDLE), ("two.js", IDLE)],
        steps: [
            Run("start one.js --name web"),
            Run("start two.js --name web"),
            LookEach { pm2: "web online/0; web online/0", tine: "web online/0" },
        ],
        differs: [
            differs(OneApp, "2 * | exit", "0", "1"),
            differs(OneApp, "3 list | web.1 *", "*", "(absent)"),
        ],
    }

    another_script_under_a_name_that_is_there_by_force {
        files: [("one.js", IDLE), ("two.js", IDLE)],
        steps: [
            Run("start one.js --name web"),
            Run("start two.js --name web -f"),
            LookEach { pm2: "web online/0; web online/0", tine: "web online/0" },
        ],
        differs: [
            differs(OneApp, "2 * | exit", "0", "1"),
            differs(OneApp, "3 list | web.1 *", "*", "(absent)"),
        ],
    }
}
