//! Several replicas on one Kafka of three nodes: they agree on the tasks, and
//! come and go without a request being lost.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use forebay_engine::clock::unix_millis;
use forebay_testkit::{
    Backend, KafkaCluster, Mode, Options, TcpBalancer, await_condition, kafka_or_skip,
};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use harness::load::{Load, LoadState, Sent, check};
use harness::{Client, LIMIT, Replica, new_task, one_message, signed};
use serde_json::{Value, json};

const PARTITIONS: i32 = 6;

/// What the contract gives a pause to reach every replica.
const PAUSE_REACHES: Duration = Duration::from_secs(2);

/// The default deadline of a request, and time for a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// Refusals that go with pausing and stopping.
const REFUSALS: &[&str] = &["FailedOperation", "RequestLimitExceeded"];

/// One cluster for the tests below, which take turns on it.
#[actix_web::test]
async fn replicas_agree() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::start(&home, Options::three_nodes().proxied())
        .await
        .unwrap();
    a_pause_reaches_the_other_replica(&cluster).await;
    both_are_restarted_in_turn_under_load(&cluster).await;
    a_thousand_changes_leave_one_table(&cluster).await;
    cluster.shutdown().await.unwrap();
}

async fn start(cluster: &KafkaCluster, registry: &str) -> Replica {
    let replica = start_unready(cluster, registry).await;
    replica.await_ready().await;
    replica
}

async fn start_unready(cluster: &KafkaCluster, registry: &str) -> Replica {
    Replica::start_on(&cluster.bootstrap(), |config| {
        config.registry.topic = registry.to_owned();
        config.shutdown.drain_delay = Duration::from_secs(2);
        config.shutdown.grace = Duration::from_secs(60);
    })
    .await
}

/// Senders that go on until they are told to stop.
struct Senders {
    state: Arc<LoadState>,
    running: Vec<actix_rt::task::JoinHandle<Vec<Sent>>>,
}

impl Senders {
    /// `count` connections to each of `addresses`, numbered in this order.
    fn start(addresses: &[SocketAddr], count: usize, datahub: &str) -> Self {
        let state = Arc::new(LoadState::default());
        let mut running = Vec::new();
        for address in addresses {
            for _ in 0..count {
                let load = Load {
                    address: *address,
                    datahub: datahub.to_owned(),
                    per_request: 4,
                    deadline: DEADLINE,
                    pause: Duration::from_millis(5),
                    refusals: REFUSALS,
                };
                let sender = load.run(running.len(), Arc::clone(&state));
                running.push(actix_rt::spawn(sender));
            }
        }
        Self { state, running }
    }

    /// Waits until `more` messages have been answered.
    async fn await_messages(&self, more: usize) {
        let wanted = self.state.messages.load(Ordering::Relaxed) + more;
        await_condition(LIMIT * 2, "messages are answered", async || {
            assert!(self.running.iter().all(|one| !one.is_finished()));
            self.state.messages.load(Ordering::Relaxed) >= wanted
        })
        .await
        .unwrap();
    }

    async fn finish(self) -> Vec<Vec<Sent>> {
        self.state.stop.store(true, Ordering::Relaxed);
        let ended = join_all(self.running).await;
        ended.into_iter().map(|sent| sent.unwrap()).collect()
    }
}

async fn a_pause_reaches_the_other_replica(cluster: &KafkaCluster) {
    let registry = "__tasks_pause";
    let (one, other) = (
        start(cluster, registry).await,
        start(cluster, registry).await,
    );
    let topic = "pause";
    cluster
        .create_topic(topic, PARTITIONS, 0, &[])
        .await
        .unwrap();
    let (task, datahub) = one.create_task("pause", topic).await;
    await_condition(LIMIT, "the other has the task too", async || {
        let answer = other.call("SendMessage", &one_message(&datahub)).await;
        answer.response()["Error"].is_null()
    })
    .await
    .unwrap();
    let before = cluster.read_all(topic).await.unwrap().len();
    let replicas = [&one, &other];
    let addresses = replicas.map(|replica| replica.running.api);
    let senders = Senders::start(&addresses, 4, &datahub);
    let id = json!({"TaskId": task}).to_string();
    // When the pause was answered, by which replica, and when a resume began.
    let mut pauses = Vec::new();
    for round in 0..4 {
        senders.await_messages(500).await;
        let by = round % 2;
        replicas[by].call("PauseDatahubTask", &id).await.response();
        let answered = unix_millis();
        tokio::time::sleep(PAUSE_REACHES + Duration::from_millis(500)).await;
        let resumed = unix_millis();
        pauses.push((answered, by, resumed));
        let other = replicas[1 - by];
        other.call("ResumeDatahubTask", &id).await.response();
    }
    senders.await_messages(500).await;
    let sent = senders.finish().await;
    let mut stored = cluster.read_all(topic).await.unwrap();
    assert!(stored.len() > before);
    stored.retain(|record| record.value.as_deref() != Some(&b"hello"[..]));
    let tally = check(&sent, &stored);
    assert!(tally.stored > 500 && tally.refused > 0, "{tally:?}");
    for record in &stored {
        let value = String::from_utf8(record.value.clone().unwrap().to_vec()).unwrap();
        let connection: usize = value.split('/').next().unwrap().parse().unwrap();
        for (answered, by, resumed) in &pauses {
            let received = record.timestamp;
            let reach = if connection / 4 == *by {
                0
            } else {
                i64::try_from(PAUSE_REACHES.as_millis()).unwrap()
            };
            let is_late = received > answered + reach && received < *resumed;
            assert!(
                !is_late,
                "{value} was received {} ms after the pause's answer, {reach} are allowed",
                received - answered
            );
        }
    }
    one.stop().await;
    other.stop().await;
}

fn backend(replica: &Replica) -> Backend {
    Backend {
        address: replica.running.api,
        readiness: replica.running.admin,
    }
}

async fn both_are_restarted_in_turn_under_load(cluster: &KafkaCluster) {
    let registry = "__tasks_restart";
    let mut replicas = vec![
        start(cluster, registry).await,
        start(cluster, registry).await,
    ];
    let topic = "restart";
    cluster
        .create_topic(topic, PARTITIONS, 0, &[])
        .await
        .unwrap();
    let (_, datahub) = replicas[0].create_task("restart", topic).await;
    let backends: Vec<_> = replicas.iter().map(backend).collect();
    let balancer = TcpBalancer::start(&backends).await.unwrap();
    let mut tasks = 1;
    await_condition(
        LIMIT,
        "both have the task and get connections",
        async || {
            let mut all = balancer.is_ready(0) && balancer.is_ready(1);
            for replica in &replicas {
                all &= table(replica.running.api).await.len() == tasks;
            }
            all
        },
    )
    .await
    .unwrap();
    let senders = Senders::start(&[balancer.address()], 8, &datahub);
    for round in 0..4 {
        senders.await_messages(1_000).await;
        // Tasks come in between, through whichever replica gets the call.
        let body = new_task(&format!("in-between-{round}"), topic);
        let answer = call(balancer.address(), "CreateDatahubTask", &body).await;
        assert!(answer["Error"].is_null(), "{answer}");
        tasks += 1;
        let index = round % 2;
        let old = replicas.remove(index);
        old.stop().await;
        let before = balancer.connections(index);
        let new = start(cluster, registry).await;
        assert_eq!(table(new.running.api).await.len(), tasks);
        balancer.replace(index, backend(&new));
        replicas.insert(index, new);
        await_condition(LIMIT, "the new one gets connections", async || {
            balancer.is_ready(index)
                && call(balancer.address(), "DescribeDatahubTasks", "{}").await["Error"].is_null()
                && balancer.connections(index) > before
        })
        .await
        .unwrap();
    }
    senders.await_messages(1_000).await;
    let sent = senders.finish().await;
    let tally = check(&sent, &cluster.read_all(topic).await.unwrap());
    // Every request was answered, or its sender would have failed.
    assert_eq!((tally.unknown, tally.not_stored), (0, 0), "{tally:?}");
    assert!(tally.stored > 4_000, "{tally:?}");
    for replica in replicas {
        assert_eq!(table(replica.running.api).await.len(), tasks);
        replica.stop().await;
    }
}

/// `Response` to one signed request.
async fn call(address: SocketAddr, action: &str, body: &str) -> Value {
    let mut client = Client::connect(address).await;
    client.send(&signed(action, body.as_bytes())).await;
    client.answer().await.response()
}

/// The tasks that a replica has: by id, what tells one state from another.
async fn table(address: SocketAddr) -> BTreeMap<String, Value> {
    let mut tasks = BTreeMap::new();
    loop {
        let page = json!({"Limit": 100, "Offset": tasks.len()}).to_string();
        let response = call(address, "DescribeDatahubTasks", &page).await;
        let list = response["Result"]["TaskList"].as_array().unwrap();
        for task in list {
            let state = json!([
                task["TaskName"],
                task["Status"],
                task["Description"],
                task["CreateTime"]
            ]);
            let id = task["TaskId"].as_str().unwrap().to_owned();
            tasks.insert(id, state);
        }
        if list.is_empty() {
            return tasks;
        }
    }
}

const RUNNING: u64 = 1;
const PAUSED: u64 = 6;

/// 200 tasks are made while 200 others, made before, are modified, paused,
/// resumed and deleted: 1,000 calls, through both replicas, 100 at a time.
async fn a_thousand_changes_leave_one_table(cluster: &KafkaCluster) {
    let registry = "__tasks_thousand";
    let (one, other) = (
        start(cluster, registry).await,
        start(cluster, registry).await,
    );
    let apis = [one.running.api, other.running.api];
    let topic = "thousand";
    cluster.create_topic(topic, 1, 0, &[]).await.unwrap();
    let create = async |name: String| {
        let answer = call(
            apis[name.len() % 2],
            "CreateDatahubTask",
            &new_task(&name, topic),
        )
        .await;
        let id = answer["Result"]["TaskId"].as_str().map(str::to_owned);
        id.unwrap_or_else(|| panic!("{name}: {answer}"))
    };
    let names = (0..200).map(|index| format!("early-{index}"));
    let early: Vec<String> = stream::iter(names).map(create).buffered(50).collect().await;
    same_table(&apis).await;

    // Which replica takes a call changes with each of a task's calls.
    let changes = early.iter().enumerate().flat_map(|(index, id)| {
        let id = json!({"TaskId": id}).to_string();
        let renamed = |text: &str| {
            let mut body: Value = serde_json::from_str(&id).unwrap();
            body["Description"] = json!(format!("{text} {index}"));
            body.to_string()
        };
        let third = match index % 4 {
            0 => ("PauseDatahubTask", id.clone()),
            1 => ("ResumeDatahubTask", id.clone()),
            2 => ("DeleteDatahubTask", id.clone()),
            _ => ("RestartDatahubTask", id.clone()),
        };
        let fourth = match index % 4 {
            // Both at once: either may win, but the same everywhere.
            3 => ("PauseDatahubTask", id.clone()),
            1 => ("ResumeDatahubTask", id.clone()),
            2 => ("ModifyDatahubTask", renamed("late")),
            _ => ("PauseDatahubTask", id.clone()),
        };
        [
            ("ModifyDatahubTask", renamed("one")),
            ("ModifyDatahubTask", renamed("other")),
            third,
            fourth,
        ]
    });
    let changes: Vec<_> = changes.enumerate().collect();
    let change = async |(number, (action, body)): (usize, (&str, String))| {
        let answer = call(apis[number % 2], action, &body).await;
        let error = answer["Error"]["Code"].as_str().map(str::to_owned);
        // Gone already is fine for a task that is being deleted.
        let is_deleted = number / 4 % 4 == 2;
        let is_fine = match error.as_deref() {
            None => true,
            Some("ResourceNotFound") => is_deleted,
            Some(_) => false,
        };
        assert!(is_fine, "{action} {body}: {answer}");
    };
    let changing = stream::iter(changes).for_each_concurrent(80, change);
    let creating = stream::iter((0..200).map(|index| format!("late-{index}")))
        .map(create)
        .buffer_unordered(20)
        .collect::<Vec<String>>();
    let ((), late) = futures_util::future::join(changing, creating).await;
    let table_of_both = same_table(&apis).await;

    // A third one, started while Kafka is out of reach, waits and says so.
    for node in 0..cluster.node_count() {
        cluster.proxy(node).set_mode(Mode::Refuse);
    }
    let third = start_unready(cluster, registry).await;
    let answer = third.admin("/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("task"), "{}", answer.text());
    let (code, text) = third
        .call("SendMessage", &one_message("datahub-aaaaaaaa"))
        .await
        .error();
    assert_eq!(code, "ResourceUnavailable.KafkaStorageError", "{text}");
    await_condition(LIMIT, "the others notice", async || {
        one.admin("/readyz").await.status == 503
    })
    .await
    .unwrap();
    for node in 0..cluster.node_count() {
        cluster.proxy(node).set_mode(Mode::Pass);
    }
    third.await_ready().await;
    one.await_ready().await;
    other.await_ready().await;
    assert_eq!(table(third.running.api).await, table_of_both);

    for (index, id) in early.iter().enumerate() {
        let state = table_of_both.get(id);
        let status = state.map(|state| state[1].as_u64().unwrap());
        match index % 4 {
            0 => assert_eq!(status, Some(PAUSED), "{id} was paused: {state:?}"),
            1 => assert_eq!(status, Some(RUNNING), "{id} was never paused: {state:?}"),
            2 => assert_eq!(status, None, "{id} was deleted: {state:?}"),
            _ => assert!(status.is_some(), "{id} is lost"),
        }
        if status == Some(PAUSED) {
            let datahub = id.replace("task-", "datahub-");
            for replica in [&one, &other, &third] {
                let answer = replica.call("SendMessage", &one_message(&datahub)).await;
                let (_, text) = answer.error();
                assert_eq!(text, format!("task status suspended [{datahub}]"));
            }
        }
    }
    assert!(late.iter().all(|id| table_of_both.contains_key(id)));
    assert_eq!(table_of_both.len(), 150 + 200);
    for replica in [one, other, third] {
        replica.stop().await;
    }
}

/// Waits until all replicas have the same tasks, and what they are.
async fn same_table(apis: &[SocketAddr]) -> BTreeMap<String, Value> {
    let mut same = BTreeMap::new();
    await_condition(LIMIT, "the same table everywhere", async || {
        same = table(apis[0]).await;
        for api in &apis[1..] {
            if table(*api).await != same {
                return false;
            }
        }
        true
    })
    .await
    .unwrap();
    same
}
