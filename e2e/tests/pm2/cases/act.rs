//! Which processes are stopped, restarted, reloaded and deleted, and what becomes of them?

use crate::case::Step::{Fails, File, Look, LookEach, Remove, Run, Write};
use crate::case::differs;
use crate::differences::Difference::{ExitCode, Instances, ReloadFails, StartOfRunning};
use crate::programs::{IDLE, SERVER};

const TWO: &[(&str, &str)] = &[("one.js", IDLE), ("two.js", IDLE)];

cases! {
    stop_by_name {
        files: [TWO[0], TWO[1]],
        steps: [
            Run("start one.js two.js"),
            Look("one online/0; two online/0"),
            Run("stop one"),
            Look("one stopped/0; two online/0"),
            Run("stop one"),
            Look("one stopped/0; two online/0"),
        ],
    }

    stop_by_id {
        files: [TWO[0], TWO[1]],
        steps: [Run("start one.js two.js"), Run("stop 1"), Look("one online/0; two stopped/0")],
    }

    stop_by_script {
        files: [TWO[0], TWO[1]],
        steps: [Run("start one.js two.js --namespace a"), Run("stop one.js"), Look("one stopped/0; two online/0")],
    }

    stop_several {
        files: [TWO[0], TWO[1], ("three.js", IDLE)],
        steps: [
            Run("start one.js two.js three.js"),
            Run("stop one 2"),
            Look("one stopped/0; two online/0; three stopped/0"),
        ],
    }

    stop_all {
        files: [TWO[0], TWO[1]],
        steps: [Run("start one.js two.js"), Run("stop all"), Look("one stopped/0; two stopped/0")],
    }

    stop_by_an_expression {
        files: [TWO[0], TWO[1], ("three.js", IDLE)],
        steps: [
            Run("start one.js two.js three.js"),
            Run("stop /^t/"),
            Look("one online/0; two stopped/0; three stopped/0"),
        ],
    }

    one_process_of_several_by_id {
        files: [("app.js", SERVER)],
        steps: [
            Run("start app.js -i 2"),
            Run("stop 1"),
            Look("app online/0; app stopped/0"),
            Run("restart 1"),
            Look("app online/0; app online/0"),
        ],
    }

    restart_by_name {
        files: [TWO[0], TWO[1]],
        steps: [
            Run("start one.js two.js"),
            Look("one online/0; two online/0"),
            Run("restart one"),
            Look("one online/1; two online/0"),
            Run("restart one"),
            Look("one online/2; two online/0"),
        ],
    }

    restart_all_processes_of_an_app {
        files: [("app.js", SERVER)],
        steps: [
            Run("start app.js -i 2"),
            Look("app online/0; app online/0"),
            Run("restart app"),
            Look("app online/1; app online/1"),
        ],
    }

    restart_several_at_once {
        files: [TWO[0], TWO[1]],
        steps: [Run("start one.js two.js"), Run("restart one two"), Look("one online/1; two online/1")],
    }

    restart_all {
        files: [TWO[0], TWO[1]],
        steps: [Run("start one.js two.js"), Run("restart all"), Look("one online/1; two online/1")],
    }

    restart_by_an_expression {
        files: [TWO[0], TWO[1]],
        steps: [Run("start one.js two.js"), Run("restart /n/"), Look("one online/1; two online/0")],
    }

    restart_of_a_stopped_one_starts_it {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js"),
            Run("stop app"),
            Run("restart app"),
            Look("app online/0"),
            Run("restart app"),
            Look("app online/1"),
        ],
    }

    restart_of_an_app_keeps_the_stopped_ones_number {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js"),
            Run("restart app"),
            Run("restart app"),
            Run("stop app"),
            Look("app stopped/2"),
            Run("start app"),
            Look("app online/2"),
        ],
    }

    delete_by_name {
        files: [TWO[0], TWO[1]],
        steps: [Run("start one.js two.js"), Run("delete one"), Look("two online/0"), Run("del two"), Look("")],
    }

    delete_by_id_and_several {
        files: [TWO[0], TWO[1], ("three.js", IDLE)],
        steps: [
            Run("start one.js two.js three.js"),
            Run("delete 0 three"),
            Look("two online/0"),
        ],
    }

    delete_all_and_ids_begin_anew {
        files: [TWO[0], TWO[1]],
        steps: [
            Run("start one.js"),
            Run("start two.js"),
            Run("delete one"),
            Run("start one.js"),
            Look("two online/0; one online/0"),
            Run("delete all"),
            Look(""),
            Run("start two.js"),
            Look("two online/0"),
        ],
    }

    delete_by_an_expression {
        files: [TWO[0], TWO[1]],
        steps: [Run("start one.js two.js"), Run("delete /tw/"), Look("one online/0")],
    }

    reload_of_a_cluster {
        files: [("app.js", SERVER)],
        steps: [
            Run("start app.js -i 2"),
            Look("app online/0; app online/0"),
            Run("reload app"),
            Look("app online/1; app online/1"),
            Run("reload all"),
            Look("app online/2; app online/2"),
        ],
        differs: [
            differs(ExitCode, "* exit_code", "(absent)", "0"),
        ],
    }

    reload_of_a_program_by_itself_is_a_restart {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js"), Look("app online/0"), Run("reload app"), Look("app online/1")],
    }

    reload_of_a_stopped_one_starts_it {
        files: [("app.js", SERVER)],
        steps: [
            Run("start app.js -i 1"),
            Run("stop app"),
            Run("reload app"),
            Look("app online/0"),
        ],
    }

    reload_of_a_cluster_that_does_not_start {
        files: [("app.js", "if (require('fs').existsSync('broken')) process.exit(1);
            require('http').createServer().listen(0);")],
        steps: [
            Run("start app.js -i 1 --max-restarts 3 --listen-timeout 1000"),
            Look("app online/0"),
            Write("broken", ""),
            Run("reload app"),
            LookEach { pm2: "app errored", tine: "app online/0" },
        ],
        differs: [
            differs(ReloadFails, "4 reload app | exit", "0", "1"),
            differs(ReloadFails, "5 list | app.0 status", "errored", "online"),
            differs(ReloadFails, "5 list | app.0 has a process", "false", "true"),
            differs(ReloadFails, "5 list | app.0 process", "(absent)", "the same"),
            differs(ReloadFails, "5 list | app.0 restart_time", "*", "0"),
        ],
    }

    unknown_names_and_ids {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js"),
            Fails("stop nobody", 5),
            Fails("restart nobody", 5),
            Fails("delete nobody", 5),
            Fails("reload nobody", 5),
            Fails("stop 9", 5),
            Fails("restart 9", 5),
            Fails("delete 9", 5),
            Fails("stop /nobody/", 5),
            Look("app online/0"),
        ],
    }

    one_that_is_unknown_among_several {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js"), Fails("stop nobody app", 5), Look("app online/0")],
    }

    nothing_at_all_is_there {
        steps: [Fails("stop all", 5), Fails("restart all", 5), Fails("delete all", 5), Fails("reload all", 5)],
    }

    reset_of_the_counts {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js"),
            Run("restart app"),
            Look("app online/1"),
            Run("reset app"),
            Look("app online/0"),
            Run("restart app"),
            Look("app online/1"),
            Run("reset all"),
            Look("app online/0"),
            Fails("reset nobody", 5),
        ],
    }

    restart_with_arguments_for_node {
        files: [("app.js", "require('fs').writeFileSync('said', process.execArgv.join() + '\\n'); setInterval(() => {}, 1e6);")],
        steps: [
            Run("start app.js"),
            File("said"),
            Remove("said"),
            Run("restart app --node-args=--no-warnings"),
            File("said"),
            Remove("said"),
            Run("restart app"),
            File("said"),
        ],
    }

    restart_of_an_app_of_which_one_process_is_stopped {
        files: [("app.js", SERVER)],
        steps: [
            Run("start app.js -i 2"),
            Run("stop 0"),
            Look("app stopped/0; app online/0"),
            Run("restart app"),
            Look("app online/0; app online/1"),
        ],
    }

    delete_of_one_process_of_several {
        files: [("app.js", SERVER)],
        steps: [
            Run("start app.js -i 3"),
            Run("delete 1"),
            Look("app online/0; app online/0"),
            Run("restart app"),
            Look("app online/1; app online/1"),
        ],
        differs: [
            differs(Instances, "* instances", "3", "2"),
        ],
    }

    stop_of_some_processes_by_their_ids {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js -x -i 3"),
            Run("stop 0 2"),
            Look("app stopped/0; app online/0; app stopped/0"),
            Run("start app"),
            Look("app online; app online; app online"),
        ],
        differs: [
            differs(StartOfRunning, "5 * | app.1 restart_time", "1", "0"),
            differs(StartOfRunning, "5 * | app.1 process", "another", "the same"),
            differs(StartOfRunning, "5 * | app.1 exit_code", "0", "(absent)"),
        ],
    }
}
