//! DescribeDatahubTasks: filters and pages.

use super::view::TaskView;
use crate::error_code::{ApiError, ErrorCode};
use crate::flattened::RequestParameters;
use crate::limits::{DEFAULT_TASKS_PAGE, MAX_TASKS_PAGE};
use crate::parameters::{Parameters, parse_object};

/// A valid DescribeDatahubTasks. Filters that are empty or absent let everything pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DescribeDatahubTasks {
    /// Page size, 0 to 100; default 20.
    pub limit: usize,
    /// Tasks to skip; default 0.
    pub offset: usize,
    /// Part of TaskName, whatever its case.
    pub search_word: Option<String>,
    /// The target's Type, exactly.
    pub target_type: Option<String>,
    /// TaskType, exactly.
    pub task_type: Option<String>,
    /// The source's Type, exactly.
    pub source_type: Option<String>,
    /// The target's instance, or the topic of a TOPIC target, exactly.
    pub resource: Option<String>,
}

impl DescribeDatahubTasks {
    /// Parses and checks the parameters.
    ///
    /// # Errors
    ///
    /// `InvalidParameter`, or `InvalidParameterValue` for a negative Limit or Offset.
    pub fn parse<'a>(body: impl Into<RequestParameters<'a>>) -> Result<Self, ApiError> {
        let map = parse_object(body)?;
        let request = Parameters::new(&map);
        let filter = |name| -> Result<Option<String>, ApiError> {
            let text = request.string(name)?.filter(|text| !text.is_empty());
            Ok(text.map(str::to_owned))
        };
        let limit = natural(&request, "Limit")?.unwrap_or(DEFAULT_TASKS_PAGE);
        Ok(Self {
            limit: limit.min(MAX_TASKS_PAGE),
            offset: natural(&request, "Offset")?.unwrap_or(0),
            search_word: filter("SearchWord")?,
            target_type: filter("TargetType")?,
            task_type: filter("TaskType")?,
            source_type: filter("SourceType")?,
            resource: filter("Resource")?,
        })
    }

    /// How many of `all` pass the filters, and the page of them that is asked for, in the order
    /// of `all`.
    pub fn page<'t>(
        &self,
        all: impl IntoIterator<Item = &'t TaskView>,
    ) -> (usize, Vec<&'t TaskView>) {
        let word = self.search_word.as_deref().map(str::to_lowercase);
        let matching: Vec<_> = all
            .into_iter()
            .filter(|task| self.matches(task, word.as_deref()))
            .collect();
        let total = matching.len();
        let page = matching
            .into_iter()
            .skip(self.offset)
            .take(self.limit)
            .collect();
        (total, page)
    }

    fn matches(&self, task: &TaskView, lower_case_word: Option<&str>) -> bool {
        let is = |filter: &Option<String>, actual: &str| {
            filter.as_ref().is_none_or(|wanted| wanted == actual)
        };
        let resource = task.target.instance.as_ref().unwrap_or(&task.target.topic);
        lower_case_word.is_none_or(|word| task.name.to_lowercase().contains(word))
            && is(&self.target_type, task.target.kind.as_str())
            && is(&self.task_type, "SOURCE")
            && is(&self.source_type, "HTTP")
            && is(&self.resource, resource)
    }
}

fn natural(request: &Parameters<'_>, name: &'static str) -> Result<Option<usize>, ApiError> {
    let Some(number) = request.i64(name)? else {
        return Ok(None);
    };
    match usize::try_from(number) {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(ApiError::new(
            ErrorCode::InvalidParameterValue,
            format!("{name}: expected 0 or more, got {number}"),
        )),
    }
}
