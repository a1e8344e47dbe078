//! What happens when a process ends by itself?

use crate::case::Step::{Field, Kill, Look, LookEach, Remove, Run};
use crate::case::differs;
use crate::differences::Difference::{
    RestartWaiting, StalePid, StartWaits, UnstableRestarts, WaitsForever,
};
use crate::programs::{END, END_WHILE_BROKEN, IDLE, SERVER};

cases! {
    one_that_is_killed_comes_back {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js"), Look("app online/0"), Kill("app", 0), Look("app online/1")],
    }

    one_of_a_cluster_that_is_killed_comes_back {
        files: [("app.js", SERVER)],
        steps: [
            Run("start app.js -i 2"),
            Look("app online/0; app online/0"),
            Kill("app", 1),
            Look("app online/0; app online/1"),
        ],
    }

    one_that_does_not_start_is_errored {
        files: [("app.sh", END)],
        steps: [Run("start app.sh --max-restarts 3 -- 1"), Look("app errored/2"), Field("app", 0, "unstable_restarts")],
        differs: [
            differs(StartWaits, "1 start * | exit", "0", "1"),
            differs(UnstableRestarts, "3 app.0 unstable_restarts", "0", "3"),
        ],
    }

    one_that_does_not_start_is_errored_after_16_starts {
        files: [("app.sh", END)],
        steps: [Run("start app.sh -- 1"), Look("app errored/15")],
        differs: [
            differs(StartWaits, "1 start * | exit", "0", "1"),
        ],
    }

    one_that_is_errored_can_be_started_again {
        files: [("app.sh", END_WHILE_BROKEN), ("broken", "")],
        steps: [
            Run("start app.sh --max-restarts 2"),
            Look("app errored/1"),
            Remove("broken"),
            Run("restart app"),
            Look("app online/1"),
        ],
        differs: [
            differs(StartWaits, "1 start * | exit", "0", "1"),
        ],
    }

    one_that_ends_with_0_comes_back_too {
        files: [("app.sh", END)],
        steps: [Run("start app.sh --max-restarts 3 -- 0"), Look("app errored/2")],
        differs: [
            differs(StartWaits, "1 start * | exit", "0", "1"),
        ],
    }

    no_autorestart_after_0 {
        files: [("app.sh", END)],
        steps: [Run("start app.sh --no-autorestart -- 0"), Look("app stopped/0")],
    }

    no_autorestart_after_1 {
        files: [("app.sh", END)],
        steps: [Run("start app.sh --no-autorestart -- 1"), Look("app stopped/0")],
        differs: [
            differs(StartWaits, "1 start * | exit", "0", "1"),
        ],
    }

    no_autorestart_after_a_signal {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js --no-autorestart"),
            Look("app online/0"),
            Kill("app", 0),
            Look("app stopped/0"),
        ],
    }

    a_code_that_stops {
        files: [("app.sh", END)],
        steps: [Run("start app.sh --stop-exit-codes 7 -- 7"), Look("app stopped/0")],
    }

    another_code_than_that_which_stops {
        files: [("app.sh", END)],
        steps: [Run("start app.sh --stop-exit-codes 7 --max-restarts 2 -- 6"), Look("app errored/1")],
        differs: [
            differs(StartWaits, "1 start * | exit", "0", "1"),
        ],
    }

    a_delay_before_the_next_start {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js --restart-delay 3000"),
            Look("app online/0"),
            Kill("app", 0),
            Look("app waiting/0"),
            Field("app", 0, "pid"),
            Look("app online/1"),
        ],
        differs: [differs(StalePid, "5 app.0 pid", "*", "0")],
    }

    a_stop_ends_the_delay {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js --restart-delay 20000"),
            Kill("app", 0),
            Look("app waiting/0"),
            Run("stop app"),
            Look("app stopped/0"),
        ],
    }

    a_delay_that_grows {
        files: [("app.sh", END)],
        steps: [
            Run("start app.sh --exp-backoff-restart-delay 1500 -- 1"),
            Look("app waiting/0"),
            Look("app waiting/1"),
        ],
        differs: [
            differs(StartWaits, "1 start * | exit", "0", "1"),
        ],
    }

    a_program_that_cannot_be_executed {
        files: [("app", "text\n")],
        steps: [Run("start ./app --interpreter none --max-restarts 2")],
        differs: [
            differs(StartWaits, "1 start * | exit", "0", "3"),
        ],
    }

    restart_with_another_option {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js"),
            Run("restart app --restart-delay 20000"),
            Look("app online/1"),
            Kill("app", 0),
            Look("app waiting/1"),
        ],
    }

    a_cluster_that_does_not_start_is_errored {
        files: [
            ("app.js", "process.exit(1)"),
            // However slowly Node starts, it is too early.
            ("apps.json", r#"[{ "script": "app.js", "instances": 2, "max_restarts": 3, "min_uptime": 20000 }]"#),
        ],
        steps: [Run("start apps.json"), Look("app errored/2; app errored/2")],
        differs: [differs(StartWaits, "1 start * | exit", "0", "1")],
    }

    delete_ends_the_delay {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js --restart-delay 20000"),
            Kill("app", 0),
            Look("app waiting/0"),
            Run("delete app"),
            Look(""),
        ],
    }

    restart_ends_the_delay {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js --restart-delay 20000"),
            Kill("app", 0),
            Look("app waiting/0"),
            Run("restart app"),
            Look("app online"),
        ],
        differs: [
            differs(RestartWaiting, "4 restart app | exit", "1", "0"),
            differs(RestartWaiting, "5 app online | app.0 restart_time", "1", "0"),
        ],
    }

    no_autorestart_with_a_delay {
        files: [("app.sh", END)],
        steps: [
            Run("start app.sh --no-autorestart --restart-delay 100 -- 0"),
            LookEach { pm2: "app waiting/0", tine: "app stopped/0" },
        ],
        differs: [differs(WaitsForever, "2 list | app.0 status", "waiting restart", "stopped")],
    }
}
