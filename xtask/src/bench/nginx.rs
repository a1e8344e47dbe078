//! The configuration with which nginx is a fair proxy here: nothing written, nothing closed early.

use std::path::Path;

/// `workers` nginx workers on `port`, in front of `upstreams`, everything it writes in `folder`.
pub(crate) fn configuration(folder: &Path, workers: usize, port: u16, upstreams: &[u16]) -> String {
    let folder = folder.display();
    let servers: String = upstreams
        .iter()
        .map(|u| format!("    server 127.0.0.1:{u};\n"))
        .collect();
    format!(
        "daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  upstream processes {{
{servers}    keepalive 64;
    keepalive_requests 1000000000;
    keepalive_timeout 4s;  # below the 5 s after which Node closes
  }}
  server {{
    listen 127.0.0.1:{port} backlog=511;
    location / {{
      proxy_pass http://processes;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
    }}
  }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_is_an_upstream() {
        let text = configuration(Path::new("/tmp/x"), 3, 20000, &[20001, 20002]);
        for line in [
            "server 127.0.0.1:20001;",
            "server 127.0.0.1:20002;",
            "worker_processes 3;",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
