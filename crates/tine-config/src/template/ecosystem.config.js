// tine start      starts every app of this file
// tine check      looks whether it is in order
// tine apply      makes what runs match it

module.exports = {
  apps: [
    {
      name: "web",
      script: "./app.js",

      // One worker per core, all behind one port. A number, "max", or -1 for one fewer than cores.
      instances: "max",

      // What the program finds in its environment.
      env: {
        NODE_ENV: "development",
        PORT: 3000,
      },
      // Over that, with `tine start --env production`.
      env_production: {
        NODE_ENV: "production",
      },

      // How long it may take to end by itself once it is asked to, in milliseconds.
      kill_timeout: 5000,

      // A program that sends process.send("ready") when it can serve: wait for that.
      // wait_ready: true,
      // listen_timeout: 10000,

      // After a failure: first wait 100 ms, then longer each time.
      exp_backoff_restart_delay: 100,

      // A date before each line of the logs.
      // time: true,
    },

    // Any program in any language is an app too:
    // { name: "jobs", script: "worker.py", autorestart: true },
    // { name: "backup", script: "./backup.sh --all", autorestart: false },
  ],
};
