//! What the bytes and file descriptors on a Node.js IPC channel mean: framing, handles, acknowledgements.
