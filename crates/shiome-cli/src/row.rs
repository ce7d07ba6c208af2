//! One result of a tool, for programs.

use std::borrow::Cow;

use serde::Serialize;

/// One result, in the form that all tools share.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    group: &'static str,
    pub(crate) name: Cow<'static, str>,
    pub(crate) value: Option<f64>,
    pub(crate) unit: &'static str,
    baseline: Option<&'static str>,
    baseline_value: Option<f64>,
    ratio: Option<f64>,
    pub(crate) goal: Option<f64>,
    pub(crate) holds: Option<bool>,
    pub(crate) note: Cow<'static, str>,
}

impl Row {
    /// A value that is compared with nothing.
    pub(crate) fn new(
        group: &'static str,
        name: impl Into<Cow<'static, str>>,
        value: Option<f64>,
        unit: &'static str,
    ) -> Self {
        Self {
            group,
            name: name.into(),
            value,
            unit,
            baseline: None,
            baseline_value: None,
            ratio: None,
            goal: None,
            holds: None,
            note: Cow::Borrowed(""),
        }
    }
}
