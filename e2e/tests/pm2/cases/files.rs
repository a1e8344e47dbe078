//! What do process files say?

use crate::case::Step::{About, Fails, Look, Names, Run, RunFed};
use crate::case::differs;
use crate::differences::Difference::{Pwd, StartWaits};
use crate::programs::{ABOUT, IDLE, IDLE_PY, SERVER};

const TWO_APPS: &str = "{ \"apps\": [
    { \"name\": \"one\", \"script\": \"app.js\" },
    { \"name\": \"two\", \"script\": \"app.py\", \"instances\": 2 }
] }";

cases! {
    javascript {
        files: [("app.js", ABOUT), ("ecosystem.config.js", "module.exports = { apps: [{
            name: 'web', script: './app.js', args: 'one \"two three\"', node_args: '--no-warnings',
        }] };")],
        steps: [Run("start ecosystem.config.js"), Look("web online/0"), About("about-0.json")],
    }

    the_default_name {
        files: [("app.js", IDLE), ("ecosystem.config.js", "module.exports = { apps: [{ script: 'app.js' }] };")],
        steps: [Run("start"), Look("app online/0")],
    }

    common_javascript {
        files: [("app.js", IDLE), ("my.config.cjs", "module.exports = { apps: [{ script: 'app.js' }] };")],
        steps: [Run("start my.config.cjs"), Look("app online/0")],
    }

    module_javascript {
        files: [("app.js", IDLE), ("my.config.mjs", "export const apps = [{ script: 'app.js' }];")],
        steps: [Run("start my.config.mjs"), Look("app online/0")],
    }

    json {
        files: [("app.js", IDLE), ("app.py", IDLE_PY), ("apps.json", TWO_APPS)],
        steps: [Run("start apps.json"), Look("one online/0; two online/0; two online/0"), Names("home/pids", 3)],
    }

    json_with_comments {
        files: [("app.js", IDLE), ("apps.json5", "// apps\n{ apps: [{ script: 'app.js', name: 'web', }], }")],
        steps: [Run("start apps.json5"), Look("web online/0")],
    }

    yaml {
        files: [("app.js", ABOUT), ("apps.yaml", "apps:\n  - script: app.js\n    name: web\n    args: [one, two]\n    env:\n      COLOR: blue\n      SIZE: 1\n      ON: true\n")],
        steps: [Run("start apps.yaml"), Look("web online/0"), About("about-0.json")],
    }

    from_the_standard_input {
        files: [("app.js", IDLE), ("app.py", IDLE_PY)],
        steps: [RunFed(TWO_APPS, "start -"), Look("one online/0; two online/0; two online/0")],
    }

    a_bare_list {
        files: [("app.js", IDLE), ("apps.json", "[{ \"script\": \"app.js\" }]")],
        steps: [Run("start apps.json"), Look("app online/0")],
    }

    a_bare_app {
        files: [("app.js", IDLE), ("apps.json", "{ \"script\": \"app.js\", \"name\": \"web\" }")],
        steps: [Run("start apps.json"), Look("web online/0")],
    }

    only_one_of_them {
        files: [("app.js", IDLE), ("app.py", IDLE_PY), ("apps.json", TWO_APPS)],
        steps: [Run("start apps.json --only one"), Look("one online/0")],
    }

    a_cluster {
        files: [("app.js", SERVER), ("apps.json", "[{ \"script\": \"app.js\", \"instances\": 2 }]")],
        steps: [Run("start apps.json"), Look("app online/0; app online/0")],
    }

    a_cluster_by_its_mode {
        files: [("app.js", SERVER), ("apps.json", "[{ \"script\": \"app.js\", \"exec_mode\": \"cluster\" }]")],
        steps: [Run("start apps.json"), Look("app online/0")],
    }

    names_in_camel_case {
        files: [("app.sh", "exit 1"), ("apps.json", "[{ \"script\": \"app.sh\", \"maxRestarts\": 2 }]")],
        steps: [Run("start apps.json"), Look("app errored/1")],
        differs: [
            differs(StartWaits, "1 start apps.json | exit", "0", "1"),
        ],
    }

    another_folder_of_an_app {
        files: [("below/app.js", ABOUT), ("apps.json", "[{ \"script\": \"app.js\", \"cwd\": \"below\" }]")],
        steps: [Run("start apps.json"), Look("app online/0"), About("below/about-0.json")],
        differs: [
            differs(Pwd, "3 below/about-0.json | env PWD", "below", "{dir}/work/below"),
        ],
    }

    stop_restart_and_delete_its_apps {
        files: [("app.js", IDLE), ("app.py", IDLE_PY), ("apps.json", TWO_APPS), ("other.js", IDLE)],
        steps: [
            Run("start apps.json"),
            Run("start other.js"),
            Run("restart apps.json"),
            Look("one online/1; two online/1; two online/1; other online/0"),
            Run("stop apps.json"),
            Look("one stopped/1; two stopped/1; two stopped/1; other online/0"),
            Run("delete apps.json"),
            Look("other online/0"),
        ],
    }

    start_or_restart {
        files: [("app.js", IDLE), ("apps.json", "[{ \"script\": \"app.js\", \"name\": \"web\" }]")],
        steps: [
            Run("startOrRestart apps.json"),
            Look("web online/0"),
            Run("startOrRestart apps.json"),
            Look("web online/1"),
            Run("startOrReload apps.json"),
            Look("web online/2"),
        ],
    }

    one_that_is_not_there {
        steps: [Fails("start apps.json", 3), Look("")],
    }

    one_that_is_broken {
        files: [("apps.json", "{ \"apps\": [ ")],
        steps: [Fails("start apps.json", 3), Look("")],
    }

    one_that_throws {
        files: [("ecosystem.config.js", "throw new Error('no');")],
        steps: [Fails("start ecosystem.config.js", 3), Look("")],
    }

    a_value_of_another_type {
        files: [("app.js", IDLE), ("apps.json", "[{ \"script\": \"app.js\", \"listen_timeout\": \"soon\" }]")],
        steps: [Fails("start apps.json", 3), Look("")],
    }

    an_app_without_a_script {
        files: [("apps.json", "[{ \"name\": \"web\" }]")],
        steps: [Fails("start apps.json", 3), Look("")],
    }
}
