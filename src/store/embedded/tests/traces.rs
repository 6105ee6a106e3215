//! What deletions leave behind: nothing, once the file was put in order.

use std::collections::HashSet;
use std::path::Path;

use super::super::*;
use super::{begin, delete, eventually, say, settings};

/// What stands in the file, as far as it is text.
fn contents(dir: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(dir.join(FILE)).unwrap()).into_owned()
}

/// How often the text stands in the file.
fn traces(dir: &Path, text: &str) -> usize {
    contents(dir).matches(text).count()
}

#[tokio::test]
async fn no_trace_of_a_deleted_text_is_left_in_the_closed_file() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, heard: _heard, close, .. } = open(dir.path(), settings()).unwrap();
    let chats = [begin(&store).await, begin(&store).await, begin(&store).await];
    let mut messages = Vec::new();
    for number in 0..600usize {
        // Short ones share pages, long ones have pages of their own.
        let filling = "x".repeat([0, 10, 300, 5_000][number % 4]);
        let chat = chats[number % 3];
        messages.push((chat, say(&store, chat, &format!("<gone {number}> {filling} <end {number}>")).await.at));
    }
    // Deletions in one batch with other deletions and with new messages in the same pages.
    let mut deletions = Vec::new();
    for (number, (chat, at)) in messages.iter().copied().enumerate().filter(|(number, _)| number % 7 != 0) {
        let store = store.clone();
        deletions.push(tokio::spawn(async move {
            say(&store, chat, &format!("<kept {number}>")).await;
            delete(&store, chat, at).await;
        }));
    }
    for deletion in deletions {
        deletion.await.unwrap();
    }
    drop(store);
    close.await;
    let left = contents(dir.path());
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == ' ';
    let left: HashSet<&str> = left.split('<').map(|rest| rest.split(|c| !is_word(c)).next().unwrap_or("")).collect();
    let has = |word: &str, number| left.contains(format!("{word} {number}").as_str());
    for number in 0..600 {
        if number % 7 == 0 {
            assert!(has("gone", number) && has("end", number), "message {number} was lost");
        } else {
            assert!(!has("gone", number) && !has("end", number), "message {number} is still there");
            assert!(has("kept", number), "what came with the deletion of {number} was lost");
        }
    }
}

#[tokio::test]
async fn a_deleted_text_leaves_the_file_while_the_hub_runs() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path(), settings()).unwrap();
    let chat = begin(&opened.store).await;
    let secret = "soon overwritten, also while others write";
    let at = say(&opened.store, chat, secret).await.at;
    for number in 0..50 {
        say(&opened.store, chat, &format!("something else {number}")).await;
    }
    delete(&opened.store, chat, at).await;
    eventually(|| traces(dir.path(), secret) == 0).await;
    assert_eq!(opened.store.log.head(chat.key()).await.unwrap().seq, 53);
    opened.close.await;
}

#[tokio::test]
async fn what_a_killed_process_left_is_overwritten_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let secret = "deleted just before the end";
    let copy = tempfile::tempdir().unwrap();
    {
        let opened = open(dir.path(), settings()).unwrap();
        let chat = begin(&opened.store).await;
        let at = say(&opened.store, chat, secret).await.at;
        delete(&opened.store, chat, at).await;
        // The file as a process leaves it that is killed now.
        std::fs::copy(dir.path().join(FILE), copy.path().join(FILE)).unwrap();
        opened.close.await;
    }
    assert!(traces(copy.path(), secret) > 0, "nothing to overwrite");
    let opened = open(copy.path(), settings()).unwrap();
    eventually(|| traces(copy.path(), secret) == 0).await;
    opened.close.await;
    assert_eq!(traces(copy.path(), secret), 0);
}
