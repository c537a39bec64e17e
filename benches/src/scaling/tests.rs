//! What holds of the model whatever the costs are.

use super::{
    costs::{Costs, MAX_IN_FLIGHT},
    limits::{Connections, GatewayLoad},
    partitions::Partitions,
    setup::{Routing, Setup},
    simulation::{Course, Measured, simulate},
};

const SHORT: Course = Course {
    warm_up: 0.05,
    measured: 0.1,
    seed: 7,
};

fn small() -> Setup {
    Setup {
        replicas: 3,
        cores: 8,
        brokers: 3,
        partitions: 300,
        rate: 60_000.0,
        ..Setup::default()
    }
}

fn run(setup: &Setup) -> Measured {
    simulate(setup, &Costs::default(), &SHORT)
}

#[test]
fn every_record_is_acknowledged_or_outstanding() {
    for routing in [Routing::Keyed, Routing::Keyless] {
        for rate in [1e3, 6e4, 1e6] {
            let found = run(&Setup {
                routing,
                rate,
                ..small()
            });
            assert!(found.acknowledged > 0);
            assert_eq!(
                found.arrived,
                found.acknowledged + found.outstanding,
                "{routing:?} at {rate}"
            );
        }
    }
}

#[test]
fn a_sustained_load_comes_out_as_it_went_in() {
    let setup = small();
    let found = run(&setup);
    let share = setup.rate / setup.brokers as f64;
    assert!(
        (found.rate() / share - 1.0).abs() < 0.1,
        "{} of {share}",
        found.rate()
    );
}

#[test]
fn what_no_broker_can_do_falls_behind() {
    let setup = Setup {
        rate: 2e7,
        broker_cores: 1,
        ..small()
    };
    assert!(run(&setup).falls_behind());
    assert!(!run(&small()).falls_behind());
}

#[test]
fn a_partition_has_one_batch_under_way() {
    let mut partitions = Partitions::new(2, 100);
    partitions.append(0, 1, 3);
    let first = partitions.seal().expect("three records wait");
    partitions.append(0, 2, 4);
    partitions.append(1, 3, 1);
    let other = partitions.seal().expect("the other partition waits");
    assert_eq!((first.records, other.partition), (3, 1));
    assert!(
        partitions.seal().is_none(),
        "partition 0 must wait for its batch"
    );
    partitions.settle(0);
    assert_eq!(partitions.seal().map(|batch| batch.records), Some(4));
}

#[test]
fn a_batch_is_closed_at_its_limit_and_keeps_order() {
    let mut partitions = Partitions::new(1, 5);
    partitions.append(0, 1, 4);
    partitions.append(0, 2, 4);
    let batch = partitions.seal().expect("eight records wait");
    assert_eq!(Vec::from(batch.runs), [(1, 4), (2, 1)]);
    assert_eq!(partitions.waiting(), 3);
}

#[test]
fn a_broker_works_no_longer_than_it_has_cores() {
    let setup = Setup {
        rate: 5e6,
        broker_cores: 1,
        ..small()
    };
    let found = run(&setup);
    let capacity = (SHORT.measured * 1e9) as u64;
    // A request under way at the end counts as a whole.
    assert!(found.broker_busy_ns > capacity * 9 / 10);
    assert!(
        found.broker_busy_ns < capacity * 12 / 10,
        "{}",
        found.broker_busy_ns
    );
}

#[test]
fn no_record_is_quicker_than_the_network_and_the_replicas() {
    let setup = Setup {
        rate: 1e3,
        ..small()
    };
    let least_ms = (setup.round_trip_us + setup.replication_us) / 1e3;
    // The histogram is exact to a sixteenth of a doubling.
    assert!(run(&setup).latency_ms(0.0001) > least_ms * 0.95);
}

#[test]
fn one_lane_sends_no_more_than_its_window_allows() {
    let setup = Setup {
        replicas: 1,
        producer_threads: Some(1),
        brokers: 1,
        round_trip_us: 10_000.0,
        ..small()
    };
    let most = MAX_IN_FLIGHT as f64 / (setup.round_trip_us / 1e6);
    // What was under way when measuring began is answered within it.
    let slack = MAX_IN_FLIGHT as f64 / SHORT.measured;
    assert!(run(&setup).requests_per_second() <= most + slack);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(run(&small()), run(&small()));
}

#[test]
fn batches_shrink_as_partitions_grow_and_grow_with_the_load() {
    let batch = |partitions, rate| {
        run(&Setup {
            partitions,
            rate,
            ..small()
        })
        .records_per_batch()
    };
    assert!(batch(3000, 3e5) < batch(30, 3e5));
    assert!(batch(300, 1e6) > batch(300, 6e4));
}

#[test]
fn keyless_requests_are_not_split() {
    let found = run(&Setup {
        routing: Routing::Keyless,
        messages: 25,
        ..small()
    });
    assert!(found.records_per_batch() >= 25.0);
    assert_eq!(found.arrived % 25, 0);
}

#[test]
fn lingering_makes_fewer_requests_and_takes_longer() {
    // Not so much that requests wait for each other: there lingering is quicker.
    let calm = Setup {
        rate: 3e3,
        ..small()
    };
    let patient = run(&Setup {
        linger_us: 5000.0,
        ..calm
    });
    let hasty = run(&calm);
    assert!(patient.requests < hasty.requests);
    assert!(patient.latency_ms(0.5) > hasty.latency_ms(0.5));
}

#[test]
fn connections_are_those_of_every_replica() {
    let connections = Connections::of(&Setup::default());
    assert_eq!(connections.lanes, 40);
    assert_eq!(connections.healthy(), 40 + 10 + 20 + 20);
    assert_eq!(connections.isolated, 10 * 1667);
}

#[test]
fn gateway_cores_grow_with_what_is_sent() {
    let (setup, costs) = (small(), Costs::default());
    let found = run(&setup);
    let load = GatewayLoad::of(&setup, &costs, &found);
    let least = found.rate() * setup.brokers as f64 / setup.replicas as f64
        * costs.gateway_message_us
        / 1e6;
    assert!(load.cores > least);
    assert!(load.producer_thread < load.cores);
}
