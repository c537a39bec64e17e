//! No answer, however malformed, makes us panic or allocate beyond its length.

use std::io::Cursor;

use proptest::prelude::*;
use rskafka::protocol::messages::ReadVersionedType;

use super::{
    create_partitions::CreatePartitionsAnswer, describe_configs::DescribeConfigsAnswer,
    fetch::FetchAnswer, incremental_alter_configs::AlterConfigsAnswer,
    init_producer_id::InitProducerIdAnswer, produce::ProduceAnswer, wire::version,
};

fn read<T: ReadVersionedType<Cursor<Vec<u8>>>>(bytes: &[u8], number: i16) -> bool {
    let mut cursor = Cursor::new(bytes.to_vec());
    cursor.set_position(4);
    T::read_versioned(&mut cursor, version(number)).is_ok()
}

proptest! {
    #[test]
    fn arbitrary_answers_never_panic(
        // Small numbers are frequent in answers, so that some are read far.
        bytes in proptest::collection::vec(prop_oneof![Just(0u8), 0u8..4, any::<u8>()], 0..200),
        number in 0i16..12,
    ) {
        read::<FetchAnswer>(&bytes, number);
        read::<ProduceAnswer>(&bytes, number);
        read::<InitProducerIdAnswer>(&bytes, number);
        read::<DescribeConfigsAnswer>(&bytes, number);
        read::<AlterConfigsAnswer>(&bytes, number);
        read::<CreatePartitionsAnswer>(&bytes, number);
    }
}

#[test]
fn an_announced_length_is_not_believed() {
    // Throttle, error and session, then 2³¹ − 1 topics of which none comes.
    let mut bytes = vec![0; 4 + 4 + 2 + 4];
    bytes.extend_from_slice(&i32::MAX.to_be_bytes());
    assert!(!read::<FetchAnswer>(&bytes, 11));
    let none = [&bytes[..14], &[0; 4]].concat();
    assert!(read::<FetchAnswer>(&none, 11));
}
