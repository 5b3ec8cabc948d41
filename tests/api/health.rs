//! `api-together health`, for the health checks of containers.

use crate::helpers::{App, Launch, Reply, Upstream};

#[test]
fn health_is_0_while_the_server_serves_and_1_afterwards_whatever_the_file_holds() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let port = app.port.to_string();
    let health = |launch: &Launch| {
        launch.command().args(["health", "--config", "apis.json", "--port", &port]).output().expect("ran").status.code()
    };
    let here = Launch { folder: app.folder.clone(), args: Vec::new(), env: Vec::new() };
    assert_eq!(health(&here), Some(0));
    std::fs::write(app.config_file(), "{ in the middle of an edit").expect("writes");
    assert_eq!(health(&here), Some(0), "a file that is being edited makes no running server look dead");
    let stopped = app.stop();
    assert_eq!(health(&stopped), Some(1));
}
