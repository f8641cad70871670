//! Damage to the write-ahead log of a node that was killed.

use std::fs::{self, OpenOptions};

use super::{files, flip, key, put_keys, value};
use crate::process::Home;

/// A home whose node was killed with everything in its log, and the values of the keys.
async fn killed() -> (Home, Vec<String>) {
    let home = Home::new("");
    let node = home.start();
    let texts = put_keys(&node.client()).await;
    node.client().put("last", value("1")).await.unwrap();
    node.kill();
    (home, texts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_in_the_log_is_named_and_the_node_does_not_start() {
    let (home, _) = killed().await;
    let log = files(&home, "log").pop().unwrap();
    flip(&log, usize::try_from(fs::metadata(&log).unwrap().len()).unwrap() / 2);
    let (code, said) = home.refusal();
    assert_eq!(code, Some(1), "{said}");
    let name = log.file_name().unwrap().to_str().unwrap();
    assert!(said.contains("damaged") && said.contains(name), "{name} is not named: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_tail_of_the_log_is_what_a_crash_leaves() {
    let (home, texts) = killed().await;
    let log = files(&home, "log").pop().unwrap();
    let file = OpenOptions::new().write(true).open(&log).unwrap();
    file.set_len(fs::metadata(&log).unwrap().len() - 10).unwrap();
    let node = home.start();
    let client = node.client();
    for (number, text) in texts.iter().enumerate() {
        assert_eq!(client.get_raw(&key(number)).await.unwrap().data, text.as_bytes());
    }
    assert_eq!(client.head("last").await.unwrap(), None, "the torn write");
    client.put("last", value("2")).await.unwrap();
}
