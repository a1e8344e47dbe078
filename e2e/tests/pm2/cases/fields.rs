//! What do the fields of a process file do?

use crate::case::Step::{About, Kill, Lines, Look, LookEach, Names, Run};
use crate::case::differs;
use crate::differences::Difference::{ClusterOfOthers, StartOfRunning, StartWaits, Zero};
use crate::programs::{ABOUT, IDLE, SERVER, TALK};

cases! {
    instances_by_a_word {
        files: [("app.js", SERVER), ("apps.json", r#"[{ "script": "app.js", "instances": "2" }]"#)],
        steps: [Run("start apps.json"), Look("app online/0; app online/0")],
    }

    a_mode_of_its_own {
        files: [
            ("app.js", ABOUT),
            ("apps.json", r#"[{ "script": "app.js", "instances": 2, "exec_mode": "fork" }]"#),
        ],
        steps: [Run("start apps.json"), Look("app online/0; app online/0"), About("about-1.json")],
    }

    arguments_in_a_list {
        files: [
            ("app.js", ABOUT),
            ("apps.json", r#"[{ "script": "app.js", "args": ["one two", "--three", "4"] }]"#),
        ],
        steps: [Run("start apps.json"), About("about-0.json")],
    }

    values_of_variables {
        files: [
            ("app.js", ABOUT),
            ("apps.json", r#"[{ "script": "app.js", "env": {
                "TRUE": true, "NUMBER": 1.5, "EMPTY": "", "LIST": [1, "two"], "ZERO": 0
            } }]"#),
        ],
        steps: [Run("start apps.json"), About("about-0.json")],
    }

    no_autorestart {
        files: [("app.js", IDLE), ("apps.json", r#"[{ "script": "app.js", "autorestart": false }]"#)],
        steps: [
            Run("start apps.json"),
            Look("app online/0"),
            Kill("app", 0),
            Look("app stopped/0"),
        ],
    }

    no_autostart {
        files: [("app.js", IDLE), ("apps.json", r#"[{ "script": "app.js", "autostart": false }]"#)],
        steps: [Run("start apps.json"), Look("app stopped/0")],
    }

    codes_that_stop {
        files: [
            ("app.js", "process.exit(3)"),
            ("apps.json", r#"[{ "script": "app.js", "stop_exit_codes": [2, 3] }]"#),
        ],
        steps: [Run("start apps.json"), Look("app stopped/0")],
    }

    log_files_that_are_nowhere {
        files: [
            ("app.js", TALK),
            ("apps.json", r#"[{ "script": "app.js", "out_file": "/dev/null", "error_file": "err.log" }]"#),
        ],
        steps: [Run("start apps.json"), Lines("err.log", 1), Names("home/logs", 0)],
    }

    log_files_in_a_folder_that_is_not_there {
        files: [
            ("app.js", TALK),
            ("apps.json", r#"[{ "script": "app.js", "out_file": "a/b/out.log", "combine_logs": true }]"#),
        ],
        steps: [Run("start apps.json"), Lines("a/b/out.log", 1)],
    }

    a_namespace_of_its_own {
        files: [
            ("app.js", IDLE),
            ("apps.json", r#"[{ "script": "app.js", "namespace": "shop" }]"#),
        ],
        steps: [Run("start apps.json"), Look("app online/0"), Run("stop shop"), Look("app stopped/0")],
    }

    a_cluster_of_another_language {
        files: [
            ("app.py", "import signal\nsignal.pause()\n"),
            ("apps.json", r#"[{ "script": "app.py", "exec_mode": "cluster", "max_restarts": 3, "min_uptime": 20000 }]"#),
        ],
        steps: [
            Run("start apps.json"),
            LookEach { pm2: "app errored/2", tine: "app launching/0" },
        ],
        differs: [
            differs(ClusterOfOthers, "1 start apps.json | exit", "0", "1"),
            differs(ClusterOfOthers, "2 list | app.0 status", "errored", "launching"),
            differs(ClusterOfOthers, "2 list | app.0 has a process", "false", "true"),
            differs(ClusterOfOthers, "2 list | app.0 restart_time", "2", "0"),
            differs(ClusterOfOthers, "2 list | app.0 exit_code", "0", "(absent)"),
        ],
    }

    the_same_file_again {
        files: [
            ("app.js", IDLE),
            ("more.js", IDLE),
            ("apps.json", r#"[{ "script": "app.js" }, { "script": "more.js" }]"#),
        ],
        steps: [
            Run("start apps.json --only app"),
            Look("app online/0"),
            Run("start apps.json"),
            Look("app online; more online/0"),
        ],
        differs: [
            differs(StartOfRunning, "4 * restart_time", "1", "0"),
            differs(StartOfRunning, "4 * process", "another", "the same"),
            differs(StartOfRunning, "4 * exit_code", "0", "(absent)"),
        ],
    }

    several_of_them_by_only {
        files: [
            ("app.js", IDLE),
            ("apps.json", r#"[
                { "script": "app.js", "name": "one" },
                { "script": "app.js", "name": "two" },
                { "script": "app.js", "name": "three" }
            ]"#),
        ],
        steps: [Run("start apps.json --only one,three"), Look("one online/0; three online/0")],
    }

    restart_only_one_of_them {
        files: [
            ("app.js", IDLE),
            ("apps.json", r#"[{ "script": "app.js", "name": "one" }, { "script": "app.js", "name": "two" }]"#),
        ],
        steps: [
            Run("start apps.json"),
            Run("restart apps.json --only two"),
            Look("one online/0; two online/1"),
            Run("stop apps.json --only one"),
            Look("one stopped/0; two online/1"),
            Run("delete apps.json --only one"),
            Look("two online/1"),
        ],
    }

    a_name_with_the_environment {
        files: [
            ("app.js", IDLE),
            ("apps.json", r#"[{ "script": "app.js", "append_env_to_name": true, "env_test": { "A": "1" } }]"#),
        ],
        steps: [Run("start apps.json --env test"), Look("app-test online/0")],
    }

    no_restart_at_all {
        files: [
            ("app.sh", "exit 1"),
            ("apps.json", r#"[{ "script": "app.sh", "max_restarts": 0 }]"#),
        ],
        steps: [Run("start apps.json"), Look("app errored")],
        differs: [
            differs(StartWaits, "1 start apps.json | exit", "0", "1"),
            differs(Zero, "2 * restart_time", "15", "0"),
        ],
    }

    interpreter_and_its_arguments {
        files: [
            ("app.txt", ABOUT),
            ("apps.json", r#"[{ "script": "app.txt", "interpreter": "node", "interpreter_args": ["--no-warnings"] }]"#),
        ],
        steps: [Run("start apps.json"), Look("app online/0"), About("about-0.json")],
    }

    a_field_that_nobody_knows {
        files: [("app.js", IDLE), ("apps.json", r#"[{ "script": "app.js", "colour": "blue" }]"#)],
        steps: [Run("start apps.json"), Look("app online/0")],
    }
}
