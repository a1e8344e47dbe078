//! How to ask this kernel: spawning, reaping, sockets, steering. The only unsafe code of the project.
