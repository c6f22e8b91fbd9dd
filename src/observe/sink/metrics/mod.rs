use std::fmt;
use std::sync::Arc;

use ::metrics::{Label, Recorder, SharedString, with_recorder};

use self::bounds::{Bounded, OTHER, Values};
use self::instruments::{
    ALL, ATTEMPTS, BUCKETS, LOST, OPERATION_DURATION, REQUEST_COST, REQUEST_DURATION, REQUESTS,
    TIME_PER_OUTPUT_TOKEN, TIME_TO_FIRST_CHUNK, TIME_TO_FIRST_TOKEN, TOKEN_USAGE, TOKENS_BY_KIND,
    UNREAD,
};
use super::lost::KINDS;
use super::{Sink, semconv};
use crate::observe::record::{Outcome, Record};

mod bounds;
mod instruments;

const DEFAULT_LABELS: [MetricLabel; 3] = [
    MetricLabel::AccountId,
    MetricLabel::GatewayId,
    MetricLabel::Region,
];
/// Values of a label, and sets of labels, that are told apart.
const VALUES: usize = 200;
const SERIES: usize = 300;

/// Counts and measures requests, for whichever recorder of the `metrics` crate is installed.
///
/// | name | kind, unit | of which requests |
/// |---|---|---|
/// | `gen_ai.client.token.usage` | histogram, tokens, by `gen_ai.token.type`: `input` (with what a cache held) or `output` | whose usage is known |
/// | `gen_ai.client.operation.duration` | histogram, s | that were not refused here |
/// | `gen_ai.client.operation.time_to_first_chunk` | histogram, s | streams |
/// | `gen_ai.server.request.duration` | histogram, s | all |
/// | `gen_ai.server.time_to_first_token` | histogram, s | streams |
/// | `gen_ai.server.time_per_output_token` | histogram, s | complete streams of two tokens or more |
/// | `tower_bedrock.request.cost_usd` | histogram, US dollars, by `custom`: `true` if `cf-aig-custom-cost` set it; its sum is what was spent | whose price is known |
/// | `tower_bedrock.requests` | counter, by `outcome` | all |
/// | `tower_bedrock.tokens` | counter, by `kind`: `input`, `cache_read`, `cache_write`, `output`, and of these `reasoning` | whose usage is known |
/// | `tower_bedrock.upstream.attempts` | counter | all |
/// | `tower_bedrock.records.lost` | counter, by `sink`: `json_lines`, `background`, or `panicked` for any that panicked; without other labels | of which a sink lost the record |
/// | `tower_bedrock.streams.unread` | counter, without labels | whose event stream could not be read to its end |
///
/// Labels are `gen_ai.operation.name`, `gen_ai.provider.name` (`aws.bedrock`),
/// `gen_ai.request.model`, `error.type` where there is an error, and those of
/// [`with_labels`](Self::with_labels). The first 200 values of each are told apart, and the first
/// 300 sets of labels; every other value is `other`. So what clients send does not make series
/// without end. Clones share what they know.
///
/// Only a request that Bedrock served, with a status of 2xx, makes a value known: before that, the
/// model of one that failed is `other`, lest requests for models that do not exist take the places
/// of those that do. Account, gateway, principal and alias of an authenticated request are known
/// however it ends, and so is every error.
///
/// Histograms have buckets only if the recorder is told so:
///
/// ```
/// use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
/// use tower_bedrock::observe::{Metrics, ObservabilityLayer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut prometheus = PrometheusBuilder::new().with_recommended_naming(true);
/// for (name, buckets) in Metrics::BUCKETS {
///     prometheus = prometheus.set_buckets_for_metric(Matcher::Full(name.to_string()), buckets)?;
/// }
/// let prometheus = prometheus.install_recorder()?;
/// let layer = ObservabilityLayer::new().with_sink(Metrics::new());
///
/// // What `/metrics` answers.
/// let text = prometheus.render();
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Metrics(Arc<Bounds>);

/// A label that [`Metrics`] may have besides those of OpenTelemetry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricLabel {
    /// `account_id`
    AccountId,
    /// `gateway_id`
    GatewayId,
    /// `region`
    Region,
    /// `principal`
    Principal,
    /// `alias`, of the stored key
    Alias,
    /// `service_tier`
    ServiceTier,
    /// `metadata.{key}`: what the client's metadata has under this key
    Metadata(String),
}

struct Bounds {
    model: Values,
    error: Values,
    labels: Vec<(MetricLabel, SharedString, Values)>,
    series: Bounded<Vec<Label>>,
    limits: (usize, usize),
}

impl Metrics {
    /// Name and buckets of every histogram; those of OpenTelemetry's names are OpenTelemetry's.
    pub const BUCKETS: &'static [(&'static str, &'static [f64])] = &BUCKETS;

    /// With the labels `account_id`, `gateway_id` and `region`.
    ///
    /// Make it when the recorder is installed: it hears of names, units and descriptions now.
    pub fn new() -> Self {
        with_recorder(|recorder| ALL.iter().for_each(|one| one.describe(recorder)));
        // What has not happened yet is seen not to have.
        KINDS.iter().for_each(|kind| lost(kind, 0));
        unread(0);
        Self::of(DEFAULT_LABELS.into(), VALUES, SERIES)
    }

    /// With these labels instead.
    pub fn with_labels(self, labels: impl IntoIterator<Item = MetricLabel>) -> Self {
        let (values, series) = self.0.limits;
        Self::of(labels.into_iter().collect(), values, series)
    }

    /// Tells so many values of each label apart, and so many sets of labels.
    pub fn with_limits(self, values: usize, series: usize) -> Self {
        let labels = self.0.labels.iter().map(|(label, ..)| label.clone());
        Self::of(labels.collect(), values, series)
    }

    fn of(labels: Vec<MetricLabel>, values: usize, series: usize) -> Self {
        let labels = labels.into_iter();
        Self(Arc::new(Bounds {
            model: Values::new(values),
            error: Values::new(values),
            labels: labels
                .map(|label| (label.clone(), label.name(), Values::new(values)))
                .collect(),
            series: Bounded::new(series),
            limits: (values, series),
        }))
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl MetricLabel {
    fn name(&self) -> SharedString {
        SharedString::const_str(match self {
            Self::AccountId => "account_id",
            Self::GatewayId => "gateway_id",
            Self::Region => "region",
            Self::Principal => "principal",
            Self::Alias => "alias",
            Self::ServiceTier => "service_tier",
            Self::Metadata(key) => return format!("metadata.{key}").into(),
        })
    }

    fn whose(&self) -> Whose {
        match self {
            Self::AccountId | Self::GatewayId | Self::Principal | Self::Alias => Whose::Caller,
            Self::Region | Self::ServiceTier | Self::Metadata(_) => Whose::Client,
        }
    }

    /// Gives its value to `label`, if it has one.
    fn of<R>(&self, record: &Record, label: impl FnOnce(&str) -> R) -> Option<R> {
        let value = match self {
            Self::AccountId => &record.account_id,
            Self::GatewayId => &record.gateway_id,
            Self::Region => &record.region,
            Self::Principal => &record.principal,
            Self::Alias => &record.alias,
            Self::ServiceTier => &record.service_tier,
            Self::Metadata(key) => {
                let value = record.metadata.as_ref()?.get(key)?;
                return Some(label(&value.to_string()));
            }
        };
        value.as_deref().map(label)
    }
}

/// Whose word a label's value is.
#[derive(Debug, Clone, Copy)]
enum Whose {
    /// Ours, or AWS's.
    Gateway,
    /// What is known of whoever has shown who they are.
    Caller,
    Client,
}

impl Bounds {
    fn labels(&self, record: &Record) -> Vec<Label> {
        let is_refused = record.outcome == Outcome::Refused;
        let status = record.status_code.unwrap_or_default();
        let is_served = (200..300).contains(&status)
            && !matches!(record.outcome, Outcome::Refused | Outcome::UpstreamError);
        let is_known = is_served || (!is_refused && record.principal.is_some());
        let labels = self.label(record, |values, value, whose| {
            let may_add = match whose {
                Whose::Gateway => true,
                Whose::Caller => is_known,
                Whose::Client => is_served,
            };
            values.label(value, may_add)
        });
        if self.series.admits(&labels) {
            return labels;
        }
        self.label(record, |_, _, _| SharedString::const_str(OTHER))
    }

    /// The labels of a record, with the values that `value` makes of its own.
    fn label(
        &self,
        record: &Record,
        value: impl Fn(&Values, &str, Whose) -> SharedString,
    ) -> Vec<Label> {
        // With room for one more.
        let mut labels = Vec::with_capacity(self.labels.len() + 5);
        labels.push(Label::from_static_parts(
            "gen_ai.operation.name",
            semconv::operation_name(record.operation, record.model.as_deref()),
        ));
        labels.push(Label::from_static_parts(
            "gen_ai.provider.name",
            semconv::PROVIDER,
        ));
        if let Some(model) = &record.model {
            labels.push(Label::new(
                "gen_ai.request.model",
                value(&self.model, model, Whose::Client),
            ));
        }
        if let Some(error) = semconv::error_type(record) {
            let error = value(&self.error, &error, Whose::Gateway);
            labels.push(Label::new("error.type", error));
        }
        for (label, name, values) in &self.labels {
            let text = label.of(record, |text| value(values, text, label.whose()));
            labels.extend(text.map(|text| Label::new(name.clone(), text)));
        }
        labels
    }
}

impl Sink for Metrics {
    fn record(&self, record: &Arc<Record>) {
        let labels = self.0.labels(record);
        with_recorder(|recorder| measure(recorder, record, &labels));
    }

    fn keeps_records(&self) -> bool {
        false
    }
}

fn measure(recorder: &dyn Recorder, record: &Record, labels: &[Label]) {
    let plain = || labels.to_vec();
    let and = |name: &'static str, value: &'static str| {
        let mut labels = plain();
        labels.push(Label::from_static_parts(name, value));
        labels
    };
    REQUESTS.add(recorder, and("outcome", record.outcome.as_str()), 1);
    if let Some(attempts) = record.attempts.filter(|attempts| *attempts > 0) {
        ATTEMPTS.add(recorder, plain(), attempts.into());
    }
    let duration = record.duration.as_secs_f64();
    REQUEST_DURATION.record(recorder, plain(), duration);
    if record.outcome != Outcome::Refused {
        OPERATION_DURATION.record(recorder, plain(), duration);
    }
    for (kind, tokens) in [("input", record.tokens_in), ("output", record.tokens_out)] {
        if let Some(tokens) = tokens {
            let labels = and("gen_ai.token.type", kind);
            TOKEN_USAGE.record(recorder, labels, tokens as f64);
        }
    }
    for (kind, tokens) in [
        ("input", record.tokens_input),
        ("cache_read", record.tokens_cache_read),
        ("cache_write", record.tokens_cache_write),
        ("output", record.tokens_out),
        ("reasoning", record.tokens_reasoning),
    ] {
        if let Some(tokens) = tokens {
            TOKENS_BY_KIND.add(recorder, and("kind", kind), tokens);
        }
    }
    if let Some(cost) = record.cost {
        let custom = if record.custom_cost { "true" } else { "false" };
        REQUEST_COST.record(recorder, and("custom", custom), cost.as_usd());
    }
    if !record.is_stream {
        return;
    }
    if let Some(first) = record.time_to_first_byte {
        TIME_TO_FIRST_CHUNK.record(recorder, plain(), first.as_secs_f64());
    }
    let Some(first) = record.time_to_first_token else {
        return;
    };
    TIME_TO_FIRST_TOKEN.record(recorder, plain(), first.as_secs_f64());
    if let Some(after) = record.tokens_out.and_then(|tokens| tokens.checked_sub(1))
        && after > 0
        && record.success
    {
        let time = record.duration.saturating_sub(first).as_secs_f64();
        TIME_PER_OUTPUT_TOKEN.record(recorder, plain(), time / after as f64);
    }
}

/// Counts records that a sink of this kind has lost.
pub(super) fn lost(sink: &'static str, records: u64) {
    with_recorder(|recorder| {
        let label = Label::from_static_parts("sink", sink);
        LOST.add(recorder, vec![label], records);
    });
}

/// Counts streams that could not be read to their end.
pub(in crate::observe) fn unread(streams: u64) {
    with_recorder(|recorder| UNREAD.add(recorder, Vec::new(), streams));
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.0.labels.iter().map(|(label, ..)| label);
        f.debug_struct("Metrics")
            .field("labels", &labels.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
