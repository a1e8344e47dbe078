//! Many small apps, and steps at random.

use std::io;

use crate::support::*;
use tine_testkit::control::Control;

/// So many requests are under way at a time; the daemon takes 64.
const UNDER_WAY: usize = 40;
/// Further processes of one app.
const MOST_SLOTS: u64 = 4;

pub(crate) struct Crowd<'h> {
    home: &'h Home,
    control: Control,
    random: Random,
    /// Apps by number: whether each is there.
    apps: Vec<bool>,
    under_way: Vec<u64>,
    steps: u64,
}

impl<'h> Crowd<'h> {
    pub(crate) fn new(home: &'h Home, random: Random) -> Crowd<'h> {
        // Some crash by themselves, now and then, and are replaced until they are given up.
        home.write("crashes.sh", "sleep 1.$(($$ % 10)); exit 3");
        start(home, &["app.sh", "--name", "first"]);
        home.ok(["delete", "first"]);
        Crowd {
            home,
            control: home.control(),
            random,
            apps: Vec::new(),
            under_way: Vec::new(),
            steps: 0,
        }
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// So that what is made once is made before anything is measured.
    pub(crate) fn warm_up(&mut self) {
        self.start(20);
        self.settle();
        self.delete_all();
    }

    /// Starts so many apps, some dozens in a request.
    pub(crate) fn start(&mut self, count: usize) {
        self.apps = vec![true; count];
        let specs: Vec<Value> = (0..count).map(|number| self.spec(number)).collect();
        for some in specs.chunks(50) {
            self.send(json!({"do": "start", "apps": some, "wait": false}));
        }
    }

    fn spec(&self, number: usize) -> Value {
        let folder = self.home.folder();
        let mut spec = json!({
            "name": name(number),
            "namespace": format!("group{}", number % 10),
            "script": "/bin/sleep",
            "args": ["1000"],
            "cwd": folder,
            "min_uptime": 100,
            "kill_timeout": 2000,
            // What is ended with the home is known by it.
            "env": {"PATH": "/usr/bin:/bin"},
        });
        match number % 50 {
            0 => {
                spec["script"] = json!(folder.join("crashes.sh"));
                spec["interpreter"] = json!("/bin/sh");
                spec["args"] = json!([]);
                spec["max_restarts"] = json!(3);
            }
            1 => spec["restart_delay"] = json!(150),
            2 => spec["autorestart"] = json!(false),
            3 => spec["instances"] = json!(2),
            _ => {}
        }
        spec
    }

    /// Does one thing to one app, or to some.
    pub(crate) fn step(&mut self) {
        self.steps += 1;
        let number = self.random.below(self.apps.len());
        if !self.apps[number] {
            self.apps[number] = true;
            let spec = self.spec(number);
            return self.send(json!({"do": "start", "apps": [spec], "if_present": "leave"}));
        }
        let target = json!({"name": name(number)});
        match self.random.below(16) {
            0..=4 => self.crash(),
            5 | 6 => self.send(json!({"do": "restart", "target": target})),
            7 | 8 => self.send(json!({"do": "stop", "target": target})),
            9 | 10 => self.send(json!({"do": "start", "target": target})),
            11 => {
                let to = self.random.next() % (MOST_SLOTS + 1);
                self.apps[number] = to > 0;
                self.send(json!({"do": "scale", "target": target, "to": to}));
            }
            12 => self.send(json!({"do": "reload", "target": target, "force": true})),
            13 => {
                self.apps[number] = false;
                self.send(json!({"do": "delete", "target": target}));
            }
            14 => self.send(json!({"do": "reset", "target": target})),
            _ => {
                let group = json!({"namespace": format!("group{}", self.random.below(10))});
                let signal = json!({"do": "signal", "target": group, "signal": "SIGCONT"});
                self.send(signal);
            }
        }
    }

    /// Kills somebody whom the daemon has started.
    fn crash(&mut self) {
        let workers = self.home.workers();
        if workers.is_empty() {
            return;
        }
        let pid = workers[self.random.below(workers.len())];
        // It may have gone by itself.
        let _ = process::signal(pid, Signal::KILL);
    }

    /// The brain is killed while all this is under way.
    pub(crate) fn kill_brain(&mut self) {
        let brain = self.control.greeting()["pid"].as_u64().unwrap();
        process::signal(u32::try_from(brain).unwrap(), Signal::KILL).unwrap();
        self.control = until("another brain", SECONDS, || -> io::Result<Control> {
            Control::connect(&self.home.tine().join("control.sock"))
        });
        assert_ne!(self.control.greeting()["pid"].as_u64(), Some(brain));
        // What was asked for may have been done or not.
        self.under_way.clear();
        for (number, is_there) in self.apps.iter_mut().enumerate() {
            let answer = self
                .control
                .try_ask(json!({"do": "list", "target": {"name": name(number)}}))
                .unwrap();
            *is_there = answer.is_ok();
        }
    }

    fn send(&mut self, request: Value) {
        let id = self.control.send(request).unwrap();
        self.under_way.push(id);
        if self.under_way.len() >= UNDER_WAY {
            self.settle();
        }
    }

    /// Waits for the answers to all that was asked.
    pub(crate) fn settle(&mut self) {
        let mut under_way = std::mem::take(&mut self.under_way);
        while !under_way.is_empty() {
            let line = self.control.line().unwrap();
            let Some(id) = line["id"].as_u64() else {
                panic!("{line}");
            };
            if line.get("note").is_some() {
                continue;
            }
            if let Some(error) = line.get("error") {
                // Two things at once may be asked of one app, or one of an app that is not there.
                let code = error["code"].as_str().unwrap_or_default();
                assert!(
                    ["not_found", "busy", "already_there"].contains(&code),
                    "{line}"
                );
            }
            under_way.retain(|known| *known != id);
        }
    }

    pub(crate) fn delete_all(&mut self) {
        self.settle();
        let answer = self
            .control
            .try_ask(json!({"do": "delete", "target": "all"}))
            .unwrap();
        if let Ok(answer) = answer {
            assert!(
                answer
                    .get("failed")
                    .is_none_or(|failed| failed == &json!([])),
                "{answer}"
            );
        }
        self.apps.clear();
    }
}

fn name(number: usize) -> String {
    format!("app{number:04}")
}
