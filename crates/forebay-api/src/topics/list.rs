//! DescribeDatahubTopics and DescribeTopic: filters and pages.

use regex_lite::Regex;

use super::view::TopicView;
use crate::error_code::{ApiError, ErrorCode};
use crate::flattened::RequestParameters;
use crate::limits::{
    DEFAULT_TOPICS_PAGE, MAX_DATAHUB_TOPICS_PAGE, MAX_TOPIC_PATTERN_BYTES, MAX_TOPICS_PAGE,
};
use crate::parameters::{Parameters, parse_object};

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Page {
    /// Topics to skip.
    pub offset: usize,
    /// Most topics of the page, at least 1.
    pub limit: usize,
}

impl Page {
    /// Limit: default 20, at least 1, more than `most` means `most`. Offset: default 0.
    pub(super) fn read(request: &Parameters<'_>, most: usize) -> Result<Self, ApiError> {
        let size = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        let limit = request.i64_in("Limit", 1..=i64::MAX)?;
        let offset = request.i64_in("Offset", 0..=i64::MAX)?;
        Ok(Self {
            offset: offset.map_or(0, size),
            limit: limit.map_or(DEFAULT_TOPICS_PAGE, size).min(most),
        })
    }

    /// The page of a list.
    pub fn of<T>(&self, all: impl IntoIterator<Item = T>) -> Vec<T> {
        all.into_iter().skip(self.offset).take(self.limit).collect()
    }
}

/// A text of the request; empty is absent.
pub(super) fn filter(
    request: &Parameters<'_>,
    name: &'static str,
) -> Result<Option<String>, ApiError> {
    let text = request.string(name)?.filter(|text| !text.is_empty());
    Ok(text.map(str::to_owned))
}

/// A valid DescribeDatahubTopics.
#[derive(Clone, Debug)]
pub struct DescribeDatahubTopics {
    /// Default 20, at most 100.
    pub page: Page,
    /// Part of name or id, in lower case.
    search: Option<String>,
    pattern: Option<Regex>,
}

impl DescribeDatahubTopics {
    /// Parses and checks the parameters.
    ///
    /// # Errors
    ///
    /// `InvalidParameter`, `InvalidParameterValue` (a Limit or Offset out of range, a
    /// TopicRegularExpression that is none), `UnsupportedOperation` for topics of other resources.
    pub fn parse<'a>(parameters: impl Into<RequestParameters<'a>>) -> Result<Self, ApiError> {
        let map = parse_object(parameters)?;
        let request = Parameters::new(&map);
        for feature in ["QueryFromConnectResource", "ConnectResourceId"] {
            request.refuse(feature)?;
        }
        let pattern = filter(&request, "TopicRegularExpression")?;
        Ok(Self {
            page: Page::read(&request, MAX_DATAHUB_TOPICS_PAGE)?,
            search: filter(&request, "SearchWord")?.map(|word| word.to_lowercase()),
            pattern: pattern.as_deref().map(compile).transpose()?,
        })
    }

    /// Whether a topic is asked for.
    pub fn matches(&self, topic: &TopicView) -> bool {
        let has = |word: &String| contains(&topic.name, word) || contains(&topic.topic_id, word);
        self.search.as_ref().is_none_or(has)
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(&topic.name))
    }
}

/// It matches anywhere in a name, in time proportional to both lengths.
fn compile(pattern: &str) -> Result<Regex, ApiError> {
    let refuse = |reason: String| {
        ApiError::new(
            ErrorCode::InvalidParameterValue,
            format!("TopicRegularExpression: {reason}"),
        )
    };
    if pattern.len() > MAX_TOPIC_PATTERN_BYTES {
        let (len, limit) = (pattern.len(), MAX_TOPIC_PATTERN_BYTES);
        return Err(refuse(format!("has {len} bytes, the limit is {limit}")));
    }
    Regex::new(pattern).map_err(|error| refuse(error.to_string()))
}

/// `word` is in lower case.
pub(super) fn contains(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(word)
}

/// A valid DescribeTopic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DescribeTopic {
    /// The instance's id; may be any text.
    pub instance: String,
    /// Default 20, at most 50.
    pub page: Page,
    /// Part of the name, in lower case.
    search: Option<String>,
}

impl DescribeTopic {
    /// Parses and checks the parameters.
    ///
    /// # Errors
    ///
    /// `InvalidParameter`, `MissingParameter`, `InvalidParameterValue` (a Limit or Offset out of
    /// range), `UnsupportedOperation` for AclRuleName.
    pub fn parse<'a>(parameters: impl Into<RequestParameters<'a>>) -> Result<Self, ApiError> {
        let map = parse_object(parameters)?;
        let request = Parameters::new(&map);
        request.refuse("AclRuleName")?;
        Ok(Self {
            instance: request.required_string("InstanceId")?.to_owned(),
            page: Page::read(&request, MAX_TOPICS_PAGE)?,
            search: filter(&request, "SearchWord")?.map(|word| word.to_lowercase()),
        })
    }

    /// Whether a topic is asked for.
    pub fn matches(&self, topic: &TopicView) -> bool {
        let search = self.search.as_ref();
        search.is_none_or(|word| contains(&topic.name, word))
    }
}
