// Node's own cluster primary over hello.js: WORKERS processes, policy from NODE_CLUSTER_SCHED_POLICY.
'use strict';
const cluster = require('node:cluster');
const path = require('node:path');

cluster.setupPrimary({ exec: path.join(__dirname, 'hello.js') });
for (let i = 0; i < Number(process.env.WORKERS); i++) cluster.fork();
