//! The specification, replayed: every curl call in it as it is printed, with nothing replaced but the host, the tokens and
//! the ids, and every sample answer compared field by field, as the contract settles it.

mod script;

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::client::is_time;
use crate::support::people::PASSWORD;
use crate::support::{Agent, Client, Hubs, fields, id, rows, text};
use script::{Curl, Step, steps};

/// The ids in the tutorial's samples, by what they name.
const CHAT: &str = "e8b2e976-f043-44c8-bb89-e214e225e813";
const CUSTOMER: &str = "5e4a0680-804e-11ec-8477-2fea5968d85b";
const ALICE: &str = "eb1ac5c0-ff63-47e2-bcdb-5da9c336eb4b";
const BOB: &str = "47fe0b7c-7333-46cf-8b23-61e14e62490a";
const PARTICIPANT: &str = "f4d6e9b3-5c4a-4d5e-9f8a-2b3c4d5e6f70";
const MESSAGE: &str = "a3c5e8f2-4d3a-4b5c-9e7f-1a2b3c4d5e6f";
const REPLY: &str = "b2d4f7a1-3c2e-4f5a-8d9c-2e3f4a5b6c7d";

/// What the hub adds to the samples' resources.
const ADDITIONS: [&str; 5] = ["name", "detail", "seq", "cursor", "reply_count"];

/// A reader who follows the specification, writing down what each printed id is in reality.
struct Reader {
    nobody: Client,
    known: Vec<(&'static str, String)>,
}

impl Reader {
    fn new(hubs: &Hubs) -> Self {
        Self { nobody: hubs.nobody(), known: Vec::new() }
    }

    fn knows(&mut self, printed: &'static str, real: &str) {
        self.known.push((printed, real.to_owned()));
    }

    /// Sends a printed call with this token; the body of the answer.
    async fn replay(&self, step: &Step, token: &str) -> Value {
        let mut command = step.command.replace("<YOUR_AUTH_TOKEN>", token).replace("<token>", token);
        for (printed, real) in &self.known {
            command = command.replace(printed, real);
        }
        let curl = Curl::parse(&command);
        let mut call = self.nobody.call(curl.method, &curl.path);
        for header in &curl.headers {
            let (name, value) = header.split_once(": ").unwrap();
            call = call.header(name, value);
        }
        if let Some(body) = curl.body {
            call = call.body(body);
        }
        call.send().await.ok()
    }

    /// Compares an answer with the sample printed below its call.
    fn compare(&self, answer: &Value, sample: &Value) {
        let mut answer = answer.to_string();
        for (printed, real) in &self.known {
            answer = answer.replace(real, printed);
        }
        let answer = serde_json::from_str(&answer).unwrap();
        compare(&answer, sample, &mut HashMap::new());
    }
}

/// Every field of the sample is in the answer with its value, and no other field but the hub's additions. Times are
/// other times of the same form; where the sample has one time twice, so has the answer.
fn compare(answer: &Value, sample: &Value, times: &mut HashMap<String, String>) {
    match (answer, sample) {
        (Value::Object(_), Value::Object(expected)) => {
            for (key, expected) in expected {
                compare(&answer[key], expected, times);
            }
            let more = fields(answer).into_iter().filter(|key| !expected.contains_key(*key));
            more.for_each(|key| assert!(ADDITIONS.contains(&key), "{key} is not in the sample: {answer}"));
        }
        (Value::Array(values), Value::Array(expected)) => {
            assert_eq!(values.len(), expected.len(), "{answer}");
            values.iter().zip(expected).for_each(|(value, expected)| compare(value, expected, times));
        }
        (Value::String(time), Value::String(printed)) if is_time(printed) => {
            assert!(is_time(time), "{time:?} where the sample has {printed:?}");
            assert_eq!(times.entry(printed.clone()).or_insert_with(|| time.clone()), time, "was {printed}");
        }
        _ => assert_eq!(answer, sample),
    }
}

/// The sample as contract sections 1 and 3 settle it: `normal` is a group, what is alive has an empty `tm_delete`, and
/// `member_count` is the true number.
fn settled(sample: &Value, member_count: Option<u64>) -> Value {
    let mut settled = sample.clone();
    if settled["tm_delete"] == "9999-01-01 00:00:00.000000" {
        settled["tm_delete"] = json!("");
    }
    if let Some(count) = member_count {
        settled["type"] = json!("group");
        settled["member_count"] = json!(count);
    }
    settled
}

async fn token_of(hubs: &Hubs, agent: &Agent) -> String {
    let signed_in = hubs.nobody().login(&agent.username, PASSWORD).await.ok();
    text(&signed_in, "token").to_owned()
}

async fn the_tutorial_works_as_printed(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let (alices, bobs) = (token_of(&hubs, &alice).await, token_of(&hubs, &bob).await);
    let mut reader = Reader::new(&hubs);
    // "Obtain agent IDs via GET /agents."
    let agents = hubs.nobody().get(&format!("/v1.0/agents?token={alices}")).await.ok();
    let id_of = |name| id(rows(&agents).iter().find(|agent| agent["name"] == name).unwrap());
    reader.knows(ALICE, &id_of("Alice"));
    reader.knows(BOB, &id_of("Bob"));
    reader.knows(CUSTOMER, &alice.customer_id);
    let steps = steps();
    let [create, add, send, reply, react, list, remove, delete] = &steps[7..] else { panic!("eight steps") };
    let sample = |step: &Step, members| settled(step.sample.as_ref().unwrap(), members);

    let chat = reader.replay(create, &alices).await;
    reader.knows(CHAT, &id(&chat));
    reader.compare(&chat, &sample(create, Some(1)));

    let participant = reader.replay(add, &alices).await;
    reader.knows(PARTICIPANT, &id(&participant));
    reader.compare(&participant, &sample(add, None));

    let message = reader.replay(send, &alices).await;
    reader.knows(MESSAGE, &id(&message));
    reader.compare(&message, &sample(send, None));

    let answer = reader.replay(reply, &bobs).await;
    reader.knows(REPLY, &id(&answer));
    reader.compare(&answer, &sample(reply, None));

    reader.compare(&reader.replay(react, &alices).await, &sample(react, None));

    // Newest first, and with the system message that Bob joined, which the sample leaves out.
    let mut listed = reader.replay(list, &alices).await;
    assert_eq!(
        listed["next_page_token"].as_str().unwrap().split(',').next(),
        listed["result"][2]["tm_create"].as_str()
    );
    let joined = listed["result"].as_array_mut().unwrap().pop().unwrap();
    assert_eq!((text(&joined, "type"), text(&joined, "text")), ("system", "Bob joined the conversation."));
    let mut expected: Vec<_> = rows(list.sample.as_ref().unwrap()).iter().map(|row| settled(row, None)).collect();
    expected.reverse();
    reader.compare(&listed["result"], &json!(expected));

    reader.compare(&reader.replay(remove, &alices).await, &sample(remove, None));
    reader.compare(&reader.replay(delete, &alices).await, &sample(delete, Some(1)));
}

async fn every_other_call_of_the_specification_works_as_printed(hubs: Hubs) {
    let [alice, bob, carol, dave] = hubs.agents(["Alice", "Bob", "Carol", "Dave"]).await;
    let token = token_of(&hubs, &alice).await;
    let mut reader = Reader::new(&hubs);
    reader.knows("agent-uuid-1", &bob.id);
    reader.knows("agent-uuid-2", &carol.id);
    reader.knows("agent-uuid-3", &dave.id);
    reader.knows("<file-uuid>", &id(&alice.new_file("design.pdf", "the design").await));
    let steps = steps();
    let [create, add, remove, send, reply, attach, react] = &steps[..7] else { panic!("seven steps") };

    let chat = reader.replay(create, &token).await;
    assert_eq!((text(&chat, "type"), text(&chat, "name")), ("group", "Project Discussion"));
    assert_eq!(chat["member_count"], 3);
    reader.knows("<chat-id>", &id(&chat));

    let participant = reader.replay(add, &token).await;
    assert_eq!(text(&participant, "owner_id"), dave.id);
    reader.knows("<participant-id>", &id(&participant));
    assert_eq!(reader.replay(remove, &token).await, participant);

    let message = reader.replay(send, &token).await;
    assert_eq!(text(&message, "text"), "Hello team, let's discuss the project status.");
    reader.knows("parent-message-id", &id(&message));
    reader.knows("<message-id>", &id(&message));

    let answer = reader.replay(reply, &token).await;
    assert_eq!((&answer["parent_id"], text(&answer, "type")), (&message["id"], "normal"));

    let attached = reader.replay(attach, &token).await;
    assert_eq!((text(&attached["medias"][0], "type"), text(&attached["medias"][0], "name")), ("file", "design.pdf"));

    let reacted = reader.replay(react, &token).await;
    assert_eq!(text(&reacted["metadata"]["reactions"][0], "emoji"), "thumbsup");
    assert_eq!(id(&reacted), id(&message));
}

/// The scenarios of the overview: who is pushed what, while the specification's flow goes on.
async fn everyone_in_the_conversation_sees_it_live(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Agent A", "Agent B", "Agent C"]).await;
    let mut sockets = [alice.listen().await, bob.listen().await, carol.listen().await];
    let chat = alice.new_group(&[&bob, &carol]).await;
    let question = id(&alice.say(&chat, "Should we deploy today? 👍 for yes, 👎 for no").await);
    for (agent, emoji) in [(&bob, "👍"), (&carol, "👎")] {
        agent.add_reaction(&question, emoji).await.ok();
    }
    bob.reply(&chat, &question, "Great work! What's next?").await;
    for socket in &mut sockets {
        socket.expect_event("chat_created").await;
        socket.expect_event("chatmessage_created").await;
        socket.expect_event("chatmessage_reaction_updated").await;
        let reacted = socket.expect_event("chatmessage_reaction_updated").await;
        assert_eq!(reacted["data"]["metadata"]["reactions"].as_array().unwrap().len(), 2);
        let reply = socket.expect_event("chatmessage_created").await;
        assert_eq!(text(&reply["data"], "parent_id"), question);
    }
}

on_every_deployment!(
    the_tutorial_works_as_printed,
    every_other_call_of_the_specification_works_as_printed,
    everyone_in_the_conversation_sees_it_live,
);
