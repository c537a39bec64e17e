//! Counts and sizes that the contract names. Bytes, unless the name says otherwise.

/// Most messages of one SendMessage (the SDKs' field text and the vendor's limits page).
pub const MAX_MESSAGES: usize = 500;

/// Most decoded bytes of all keys and bodies of one SendMessage. The vendor says "5 MB" and not
/// how it counts; this is 5·2²⁰, after JSON's escapes are gone.
pub const MAX_DECODED_BYTES: usize = 5 << 20;

/// Largest raw body of a request (the vendor's rule for POST with JSON). Text may take six times
/// its size on the wire, see `send_message`.
pub const MAX_RAW_BODY_BYTES: usize = 10 << 20;

/// Largest body of the actions that manage something. Our own limit, far above any sensible
/// request: these bodies become a tree of JSON values, which takes many times their size.
pub const MAX_MANAGEMENT_BODY_BYTES: usize = 1 << 20;

/// Longest query of a GET, in bytes as sent (the vendor's rule for GET).
pub const MAX_QUERY_BYTES: usize = 32 << 10;

/// Most parameters of a request by GET or by form, where each leaf of the request is one. Our own
/// limit; 500 messages with keys are 1,000 of them.
pub const MAX_FLATTENED_PARAMETERS: usize = 4096;

/// How deep a flattened name may go: parts between dots. The API's own go to 8.
pub const MAX_FLATTENED_DEPTH: usize = 10;

/// What is read and thrown away of a body that is refused early, so that an SDK which is still
/// writing sees the error code and not a broken pipe.
pub const MAX_DISCARD_BYTES: usize = 16 << 20;

/// How long a refused body is read at most, in seconds.
pub const MAX_DISCARD_SECONDS: u64 = 5;

/// Longest Authorization header that is looked at. The SDKs' have about 200 bytes.
pub const MAX_AUTHORIZATION_BYTES: usize = 4096;

/// Most names in an Authorization header's SignedHeaders. The SDKs sign two.
pub const MAX_SIGNED_HEADERS: usize = 32;

/// Default distance allowed between a request's timestamp and our clock, both ways, in seconds
/// (the vendor's window).
pub const DEFAULT_CLOCK_SKEW_SECONDS: u64 = 300;

/// Longest TaskName, in characters (API reference of CreateDatahubTask).
pub const MAX_TASK_NAME_CHARS: usize = 64;

/// Longest Description, in bytes. Our own limit: every task is a record of the registry's log.
pub const MAX_DESCRIPTION_BYTES: usize = 4096;

/// Most Tags of a task, and the longest key and value in characters (the vendor's tag rules).
pub const MAX_TAGS: usize = 50;
/// Longest TagKey, in characters.
pub const MAX_TAG_KEY_CHARS: usize = 127;
/// Longest TagValue, in characters.
pub const MAX_TAG_VALUE_CHARS: usize = 255;

/// Most partitions that a topic may be created with (API reference of CreateDatahubTopic).
pub const MAX_PARTITION_NUM: i64 = 500;

/// Longest name of a Kafka topic, in bytes (Kafka's `Topic.validate`).
pub const MAX_TOPIC_NAME_BYTES: usize = 249;

/// Longest name of a topic that CreateDatahubTopic makes, in bytes (its API reference).
pub const MAX_NEW_TOPIC_NAME_BYTES: usize = 128;

/// Shortest retention of a topic, in milliseconds (API reference of CreateDatahubTopic).
pub const MIN_RETENTION_MS: i64 = 60_000;

/// What RetentionMs says of a topic that keeps its messages for ever, which Kafka writes as -1:
/// the SDKs' field is unsigned, and clients take it for a signed number of 64 bits.
pub const RETENTION_FOREVER_MS: i64 = i64::MAX;

/// Least and most of a topic's MaxMessageBytes (API reference of CreateTopic).
pub const MIN_MAX_MESSAGE_BYTES: i64 = 1024;
/// See [`MIN_MAX_MESSAGE_BYTES`].
pub const MAX_MAX_MESSAGE_BYTES: i64 = 12_582_912;

/// Longest Note of a topic, in characters (API reference of CreateDatahubTopic).
pub const MAX_NOTE_CHARS: usize = 64;

/// Page size of the actions that list topics where Limit is absent.
pub const DEFAULT_TOPICS_PAGE: usize = 20;
/// Largest page of DescribeDatahubTopics; a larger Limit means this.
pub const MAX_DATAHUB_TOPICS_PAGE: usize = 100;
/// Largest page of DescribeTopic; a larger Limit means this.
pub const MAX_TOPICS_PAGE: usize = 50;
/// Largest page of DescribeTopicDetail; a larger Limit means this. The API names no limit; this one
/// keeps answers at about a megabyte.
pub const MAX_TOPIC_DETAILS_PAGE: usize = 1000;
/// Longest TopicRegularExpression, in bytes. Our own limit.
pub const MAX_TOPIC_PATTERN_BYTES: usize = 256;

/// Page size of DescribeDatahubTasks where Limit is absent.
pub const DEFAULT_TASKS_PAGE: usize = 20;
/// Largest page of DescribeDatahubTasks; a larger Limit means this.
pub const MAX_TASKS_PAGE: usize = 100;

/// Most messages of a partition in one list (SinglePartitionRecordNumber of
/// FetchMessageListByOffset and FetchMessageListByTimestamp).
pub const MAX_LISTED_MESSAGES: usize = 20;
/// Length of a list of messages where its parameter is absent.
pub const DEFAULT_LISTED_MESSAGES: usize = 20;
/// Most messages of FetchLatestDatahubMessageList (MessageCount).
pub const MAX_LATEST_MESSAGES: usize = 100;
