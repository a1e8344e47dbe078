//! What is started, and how often?

use crate::case::Step::{About, Copy, Fails, File, Look, LookEach, Names, Run};
use crate::case::differs;
use crate::differences::Difference::{
    Channel, ClusterOfOne, Instances, NotAutostarted, StartOfRunning,
};
use crate::programs::{ABOUT, ABOUT_PY, IDLE, IDLE_PY, SERVER};

cases! {
    a_script_of_node {
        files: [("app.js", ABOUT)],
        steps: [Run("start app.js"), Look("app online/0"), About("about-0.json")],
    }

    a_script_of_python {
        files: [("app.py", ABOUT_PY)],
        steps: [Run("start app.py"), Look("app online/0"), About("about-0.json")],
        differs: [
            differs(Channel, "*about-* | env NODE_CHANNEL_FD", "3", "(absent)"),
            differs(Channel, "*about-* | env NODE_CHANNEL_SERIALIZATION_MODE", "json", "(absent)"),
        ],
    }

    a_script_of_the_shell {
        files: [("job.sh", "echo $0 $1 > said\nsleep 1000\n")],
        steps: [Run("start job.sh -- one"), Look("job online/0"), File("said")],
    }

    a_binary {
        steps: [Copy("/bin/sleep", "nap"), Run("start ./nap -- 1000"), Look("nap online/0")],
    }

    a_program_from_the_path {
        steps: [Run("start sleep -- 1000"), Look("sleep online/0")],
    }

    a_shell_command_with_blanks {
        steps: [
            Run("start 'echo \"$((1 + 1))\" > said; exec sleep 1000' --name nap"),
            Look("nap online/0"),
            File("said"),
        ],
    }

    a_folder_with_an_index {
        files: [("site/index.js", IDLE)],
        steps: [Run("start ./site"), Look("site online/0")],
    }

    a_cluster_of_two {
        files: [("app.js", SERVER)],
        steps: [Run("start app.js -i 2"), Look("app online/0; app online/0"), Names("home/pids", 2)],
    }

    a_cluster_of_one {
        files: [("app.js", SERVER)],
        steps: [Run("start app.js -i 1"), Look("app online/0"), Names("home/pids", 1)],
    }

    a_cluster_with_one_process_for_each_core {
        files: [("app.js", ABOUT)],
        steps: [Run("start app.js -i max"), About("about-0.json"), About("about-1.json")],
    }

    a_cluster_with_one_process_less {
        files: [("app.js", ABOUT)],
        steps: [Run("start app.js -i -1"), About("about-0.json")],
    }

    at_least_one_process {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js -i -100"), Look("app online/0")],
        differs: [
            differs(ClusterOfOne, "2 * exec_mode", "fork_mode", "cluster_mode"),
        ],
    }

    a_cluster_where_nobody_listens {
        files: [("app.js", ABOUT)],
        steps: [
            Run("start app.js -i 2"),
            Look("app online/0; app online/0"),
            About("about-0.json"),
            About("about-1.json"),
        ],
    }

    two_of_python {
        files: [("app.py", ABOUT_PY)],
        steps: [
            Run("start app.py -i 2"),
            Look("app online/0; app online/0"),
            Names("home/pids", 2),
            About("about-0.json"),
            About("about-1.json"),
        ],
        differs: [
            differs(Channel, "*about-* | env NODE_CHANNEL_FD", "3", "(absent)"),
            differs(Channel, "*about-* | env NODE_CHANNEL_SERIALIZATION_MODE", "json", "(absent)"),
        ],
    }

    node_in_fork_mode_by_x {
        files: [("app.js", ABOUT)],
        steps: [Run("start app.js -x -i 2"), Look("app online/0; app online/0"), About("about-1.json")],
    }

    several_at_once {
        files: [("one.js", IDLE), ("two.py", IDLE_PY)],
        steps: [Run("start one.js two.py"), Look("one online/0; two online/0")],
    }

    one_that_is_only_listed {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js --no-autostart"),
            Look("app stopped/0"),
            Run("start app"),
            LookEach { pm2: "app stopped/0", tine: "app online/0" },
        ],
        differs: [
            differs(NotAutostarted, "4 list | app.0 status", "stopped", "online"),
            differs(NotAutostarted, "4 list | app.0 has a process", "false", "true"),
        ],
    }

    a_stopped_one_by_its_name {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js"),
            Run("stop app"),
            Look("app stopped/0"),
            Run("start app"),
            Look("app online/0"),
        ],
    }

    a_stopped_one_by_its_id {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js"), Run("stop 0"), Run("start 0"), Look("app online/0")],
    }

    a_stopped_one_by_its_script {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js"), Run("stop 0"), Run("start app.js"), Look("app online/0")],
    }

    all_that_are_stopped {
        files: [("one.js", IDLE), ("two.js", IDLE)],
        steps: [
            Run("start one.js two.js"),
            Run("stop all"),
            Look("one stopped/0; two stopped/0"),
            Run("start all"),
            Look("one online/0; two online/0"),
        ],
    }

    one_that_runs_by_its_name {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js"), Look("app online/0"), Run("start app"), Look("app online")],
        differs: [
            differs(StartOfRunning, "4 * restart_time", "1", "0"),
            differs(StartOfRunning, "4 * process", "another", "the same"),
            differs(StartOfRunning, "4 * exit_code", "0", "(absent)"),
        ],
    }

    one_that_runs_by_its_script {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js"), Look("app online/0"), Run("start app.js"), Look("app online/0")],
        differs: [
            differs(StartOfRunning, "3 start app.js | exit", "1", "0"),
        ],
    }

    one_that_runs_by_force {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js"), Run("start app.js -f"), Look("app online/0; app online/0")],
        differs: [
            differs(Instances, "3 * instances", "1", "2"),
        ],
    }

    one_script_under_two_names {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js --name one"),
            Run("start app.js --name two"),
            Look("one online/0; two online/0"),
        ],
    }

    a_missing_script {
        steps: [Fails("start nothing.js", 3), Look("")],
    }

    a_missing_name {
        steps: [Fails("start nothing", 3), Look("")],
    }

    a_missing_id {
        steps: [Fails("start 12", 5), Look("")],
    }
}
