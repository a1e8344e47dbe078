//! Which variables does a program see?

use crate::case::Step::{About, Fails, File, Look, Remove, Run, RunWith, Says};
use crate::case::differs;
use crate::differences::Difference::{EnvLines, FilterAll};
use crate::programs::ABOUT;

const ECOSYSTEM: &str = "module.exports = { apps: [{
    name: 'web', script: 'app.js',
    env: { COLOR: 'blue', SIZE: 1, BOTH: { a: [1, 2] } },
    env_production: { COLOR: 'red', NODE_ENV: 'production' },
}] };
";

cases! {
    those_of_the_shell {
        files: [("app.js", ABOUT)],
        steps: [RunWith(&[("COLOR", "blue"), ("EMPTY", "")], "start app.js"), About("about-0.json")],
    }

    those_of_the_process_file {
        files: [("app.js", ABOUT), ("ecosystem.config.js", ECOSYSTEM)],
        steps: [
            RunWith(&[("COLOR", "green"), ("SHAPE", "round")], "start ecosystem.config.js"),
            About("about-0.json"),
        ],
    }

    those_of_production {
        files: [("app.js", ABOUT), ("ecosystem.config.js", ECOSYSTEM)],
        steps: [Run("start ecosystem.config.js --env production"), About("about-0.json")],
    }

    those_of_an_environment_that_is_not_there {
        files: [("app.js", ABOUT), ("ecosystem.config.js", ECOSYSTEM)],
        steps: [Run("start ecosystem.config.js --env nowhere"), About("about-0.json")],
    }

    restart_keeps_them {
        files: [("app.js", ABOUT)],
        steps: [
            RunWith(&[("COLOR", "blue")], "start app.js"),
            About("about-0.json"),
            Remove("about-0.json"),
            RunWith(&[("COLOR", "red"), ("SHAPE", "round")], "restart app"),
            About("about-0.json"),
        ],
    }

    restart_with_those_of_today {
        files: [("app.js", ABOUT)],
        steps: [
            RunWith(&[("COLOR", "blue"), ("SIZE", "1")], "start app.js"),
            About("about-0.json"),
            Remove("about-0.json"),
            RunWith(&[("COLOR", "red"), ("SHAPE", "round")], "restart app --update-env"),
            About("about-0.json"),
        ],
    }

    restart_with_the_process_file {
        files: [("app.js", ABOUT), ("ecosystem.config.js", ECOSYSTEM)],
        steps: [
            Run("start ecosystem.config.js"),
            About("about-0.json"),
            Remove("about-0.json"),
            Run("restart ecosystem.config.js --env production"),
            About("about-0.json"),
            Look("web online/1"),
        ],
    }

    a_variable_that_counts {
        files: [("app.js", ABOUT), ("ecosystem.config.js", "module.exports = { apps: [{
            name: 'web', script: 'app.js', instances: 2, exec_mode: 'fork',
            increment_var: 'PORT', env: { PORT: 3000 },
        }] };")],
        steps: [
            Run("start ecosystem.config.js"),
            Look("web online/0; web online/0"),
            About("about-0.json"),
            About("about-1.json"),
        ],
    }

    another_name_for_the_number {
        files: [("app.js", "require('fs').writeFileSync('said-' + process.env.SEAT, 'x\\n');
            setInterval(() => {}, 1e6);"), ("ecosystem.config.js", "module.exports = { apps: [{
            name: 'web', script: 'app.js', instances: 2, instance_var: 'SEAT',
        }] };")],
        steps: [
            Run("start ecosystem.config.js"),
            Look("web online/0; web online/0"),
            File("said-0"),
            File("said-1"),
        ],
    }

    none_of_the_shell {
        files: [("app.js", ABOUT), ("ecosystem.config.js", "module.exports = { apps: [{
            name: 'web', script: 'app.js', filter_env: true, env: { OWN: '1' },
        }] };")],
        steps: [RunWith(&[("SECRET_A", "1")], "start ecosystem.config.js"), About("about-0.json")],
        differs: [
            differs(FilterAll, "2 about-0.json | env *", "*", "(absent)"),
        ],
    }

    all_but_some_of_the_shell {
        files: [("app.js", ABOUT), ("ecosystem.config.js", "module.exports = { apps: [{
            name: 'web', script: 'app.js', filter_env: ['SECRET'],
        }] };")],
        steps: [
            RunWith(&[("SECRET_A", "1"), ("MY_SECRET", "2"), ("OPEN", "3")], "start ecosystem.config.js"),
            About("about-0.json"),
        ],
    }

    all_but_some_of_the_shell_by_an_option {
        files: [("app.js", ABOUT)],
        steps: [
            RunWith(&[("SECRET_A", "1"), ("OPEN", "3")], "start app.js --filter-env SECRET"),
            About("about-0.json"),
        ],
    }

    a_port {
        files: [("app.js", ABOUT), ("ecosystem.config.js", "module.exports = { apps: [{
            name: 'web', script: 'app.js', port: 4100,
        }] };")],
        steps: [Run("start ecosystem.config.js"), About("about-0.json")],
    }

    asked_for {
        files: [("app.js", ABOUT)],
        steps: [
            RunWith(&[("COLOR", "blue")], "start app.js"),
            Says("env 0", "COLOR: blue"),
            Says("env 0", "NODE_APP_INSTANCE: 0"),
            Says("env 0", "namespace: default"),
            Fails("env 5", 5),
        ],
        differs: [
            differs(EnvLines, "* env 0 | says namespace: default", "true", "false"),
        ],
    }
}
