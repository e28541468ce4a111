//! What happens where the ledger cannot be written, and where it is not what was written.

use super::{checkpoint, count_written, directory, entries, last_segment, problems};
use crate::egress::{Server, cluster, generate};
use socle_tests::{Cluster, error_of, eventually, signal};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

/// Ends the process that writes, so that the next one reads the file.
fn end_writer(cluster: &Cluster) {
    if let Some(pid) = cluster.child_pid("socle-egress") {
        signal(pid, libc::SIGKILL);
        eventually("it has ended", || (cluster.child_pid("socle-egress") != Some(pid)).then_some(()));
    }
}

#[test]
fn nothing_is_sent_while_the_ledger_is_damaged_and_a_new_chain_can_be_begun() {
    let server = Server::saying("Hello.");
    let (cluster, mut client) = cluster(&server, "");
    generate(&mut client, "Hi").unwrap();
    let kept = checkpoint(&mut client);
    let path = last_segment(&cluster);
    let text = fs::read_to_string(&path).unwrap();
    let changed = text.replacen("\"endpoint\":\"door\"", "\"endpoint\":\"doof\"", 1);
    fs::write(&path, &changed).unwrap();
    assert!(problems(&mut client, None)[0].contains("was changed"));
    end_writer(&cluster);
    let sent = server.request_count();
    let (state, message, detail, hint) = error_of(&generate(&mut client, "Hi").unwrap_err());
    assert_eq!((state.as_str(), server.request_count()), ("XX001", sent), "{message} {detail} {hint}");
    assert!(detail.contains("does not have its hash") && hint.contains("verify_ledger"), "{detail} {hint}");
    // What opens a door is refused, too, and what only this server does goes on.
    let door = "SELECT socle.grant_endpoint('door', 'public')";
    assert_eq!(error_of(&client.execute(door, &[]).unwrap_err()).0, "XX001");
    let (mut session, heard) = cluster.connect_and_listen();
    session.batch_execute("SELECT socle.drop_model('bge')").unwrap();
    assert_eq!(heard.recv().unwrap(), "this is not recorded in the ledger");
    let status = "SELECT state || ': ' || state_reason FROM socle.ledger_status";
    let status: String = client.query_one(status, &[]).unwrap().get(0);
    assert!(status.starts_with("failed: "), "{status}");
    // As the manual says: the old chain stays as evidence.
    fs::remove_file(directory(&cluster).join("place")).unwrap();
    generate(&mut client, "Hi").unwrap();
    let begun = entries(&mut session, &["chain"]);
    drop(begun);
    assert!(problems(&mut client, Some(&kept)).iter().any(|problem| problem.contains("was changed")));
    fs::write(&path, text).unwrap();
    assert_eq!(problems(&mut client, Some(&kept)), Vec::<String>::new());
}

#[test]
fn what_cannot_be_written_is_not_sent() {
    let server = Server::saying("Hello.");
    let (cluster, mut client) = cluster(&server, "");
    generate(&mut client, "Hi").unwrap();
    let path = last_segment(&cluster);
    let mode = |mode: u32| {
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    // Before it ends: another one may begin at once.
    mode(0o400);
    end_writer(&cluster);
    let sent = server.request_count();
    let (state, message, detail, _) = error_of(&generate(&mut client, "Hi").unwrap_err());
    assert_eq!(
        (state.as_str(), message.as_str(), server.request_count()),
        ("58030", "the ledger cannot be written", sent)
    );
    assert!(detail.contains("Permission denied"), "{detail}");
    mode(0o600);
    generate(&mut client, "Hi").unwrap();
    assert_eq!(count_written(&cluster, "request"), server.request_count());
}

#[test]
fn a_full_disk_refuses_requests_and_loses_none() {
    let server = Server::saying("Hello.");
    let (cluster, client) = cluster(&server, "");
    drop(client);
    cluster.stop("fast");
    let owner = fs::metadata(cluster.data()).unwrap().uid();
    let options = format!("size=256k,mode=700,uid={owner}");
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(directory(&cluster)).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: only root can make a disk that is full\n");
        return;
    }
    struct Unmount(std::path::PathBuf);
    impl Drop for Unmount {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
        }
    }
    let _unmount = Unmount(directory(&cluster));
    cluster.start();
    let mut client = cluster.connect();
    generate(&mut client, "Hi").unwrap();
    let filler = directory(&cluster).join("filler");
    let _ = fs::write(&filler, vec![0; 1 << 20]);
    let error = eventually("the disk is full", || generate(&mut client, "Hi").err());
    let (state, message, ..) = error_of(&error);
    assert_eq!((state.as_str(), message.as_str()), ("53100", "the ledger cannot be written"));
    assert_eq!(count_written(&cluster, "request"), server.request_count());
    fs::remove_file(&filler).unwrap();
    generate(&mut client, "Hi").unwrap();
    assert_eq!(count_written(&cluster, "request"), server.request_count());
    assert_eq!(problems(&mut client, None), Vec::<String>::new());
    drop(client);
    cluster.stop("fast");
}

#[test]
fn what_else_lies_in_its_directory_stops_reading_and_not_writing_and_the_state_says_so() {
    let server = Server::saying("Hello.");
    let (cluster, mut client) = cluster(&server, "");
    generate(&mut client, "Hi").unwrap();
    let stray = directory(&cluster).join("old");
    fs::create_dir(&stray).unwrap();
    fs::write(stray.join("note"), "no chain").unwrap();
    let status = |client: &mut postgres::Client| -> (String, Option<String>) {
        let row = client.query_one("SELECT state, state_reason FROM socle.ledger_status", &[]).unwrap();
        (row.get(0), row.get(1))
    };
    let (state, reason) = status(&mut client);
    assert_eq!(state, "unreadable");
    assert!(reason.is_some_and(|reason| reason.contains("old")));
    assert_eq!(error_of(&client.query("SELECT * FROM socle.ledger", &[]).unwrap_err()).0, "XX001");
    // The writer knows its chain: what leaves is recorded as before.
    let before = (server.request_count(), requests_on_disk(&cluster));
    generate(&mut client, "Hi").unwrap();
    assert_eq!((server.request_count(), requests_on_disk(&cluster)), (before.0 + 1, before.1 + 1));
    fs::remove_dir_all(stray).unwrap();
    assert_eq!(status(&mut client), ("writing".to_string(), None));
    assert_eq!(problems(&mut client, None), Vec::<String>::new());
}

/// How many requests the chain that is written has on disk.
fn requests_on_disk(cluster: &Cluster) -> usize {
    fs::read_to_string(last_segment(cluster)).unwrap().matches("\"kind\":\"request\"").count()
}
