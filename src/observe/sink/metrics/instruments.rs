//! Names, units, descriptions and buckets.

use ::metrics::{Key, KeyName, Label, Level, Metadata, Recorder, Unit};

/// Seconds, of whole operations.
const DURATION: &[f64] = &[
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const TOKENS: &[f64] = &[
    1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0,
    16777216.0, 67108864.0,
];
const FIRST_TOKEN: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
const PER_TOKEN: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
];
const COST: &[f64] = &[0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0];

/// What is measured.
pub(super) struct Instrument {
    pub(super) name: &'static str,
    unit: Unit,
    description: &'static str,
    /// Of a histogram; a counter has none.
    buckets: &'static [f64],
}

pub(super) static TOKEN_USAGE: Instrument = Instrument {
    name: "gen_ai.client.token.usage",
    unit: Unit::Count,
    description: "Tokens of a request, by gen_ai.token.type; input includes what a cache held.",
    buckets: TOKENS,
};
pub(super) static OPERATION_DURATION: Instrument = Instrument {
    name: "gen_ai.client.operation.duration",
    unit: Unit::Seconds,
    description: "Time of a request that went upstream.",
    buckets: DURATION,
};
pub(super) static TIME_TO_FIRST_CHUNK: Instrument = Instrument {
    name: "gen_ai.client.operation.time_to_first_chunk",
    unit: Unit::Seconds,
    description: "Time to the first byte of a stream.",
    buckets: DURATION,
};
pub(super) static REQUEST_DURATION: Instrument = Instrument {
    name: "gen_ai.server.request.duration",
    unit: Unit::Seconds,
    description: "Time of any request, to the last byte of its answer.",
    buckets: DURATION,
};
pub(super) static TIME_TO_FIRST_TOKEN: Instrument = Instrument {
    name: "gen_ai.server.time_to_first_token",
    unit: Unit::Seconds,
    description: "Time to the first token of a stream.",
    buckets: FIRST_TOKEN,
};
pub(super) static TIME_PER_OUTPUT_TOKEN: Instrument = Instrument {
    name: "gen_ai.server.time_per_output_token",
    unit: Unit::Seconds,
    description: "Time per token of a stream after the first.",
    buckets: PER_TOKEN,
};
pub(super) static REQUEST_COST: Instrument = Instrument {
    name: "tower_bedrock.request.cost_usd",
    unit: Unit::Count,
    description: "Price of a request in US dollars, where it is known.",
    buckets: COST,
};
pub(super) static REQUESTS: Instrument = Instrument {
    name: "tower_bedrock.requests",
    unit: Unit::Count,
    description: "Requests, by outcome.",
    buckets: &[],
};
pub(super) static TOKENS_BY_KIND: Instrument = Instrument {
    name: "tower_bedrock.tokens",
    unit: Unit::Count,
    description: "Tokens, by kind: input, cache_read, cache_write, output; reasoning is part of output.",
    buckets: &[],
};
pub(super) static ATTEMPTS: Instrument = Instrument {
    name: "tower_bedrock.upstream.attempts",
    unit: Unit::Count,
    description: "How often requests were sent upstream.",
    buckets: &[],
};
pub(super) static LOST: Instrument = Instrument {
    name: "tower_bedrock.records.lost",
    unit: Unit::Count,
    description: "Records that a sink could not take, by kind of sink.",
    buckets: &[],
};

pub(super) static UNREAD: Instrument = Instrument {
    name: "tower_bedrock.streams.unread",
    unit: Unit::Count,
    description: "Event streams that could not be read to their end: a frame was broken or too long.",
    buckets: &[],
};

pub(super) static ALL: [&Instrument; 12] = [
    &TOKEN_USAGE,
    &OPERATION_DURATION,
    &TIME_TO_FIRST_CHUNK,
    &REQUEST_DURATION,
    &TIME_TO_FIRST_TOKEN,
    &TIME_PER_OUTPUT_TOKEN,
    &REQUEST_COST,
    &REQUESTS,
    &TOKENS_BY_KIND,
    &ATTEMPTS,
    &LOST,
    &UNREAD,
];

/// Name and buckets of every histogram.
pub(super) static BUCKETS: [(&str, &[f64]); 7] = [
    (TOKEN_USAGE.name, TOKEN_USAGE.buckets),
    (OPERATION_DURATION.name, OPERATION_DURATION.buckets),
    (TIME_TO_FIRST_CHUNK.name, TIME_TO_FIRST_CHUNK.buckets),
    (REQUEST_DURATION.name, REQUEST_DURATION.buckets),
    (TIME_TO_FIRST_TOKEN.name, TIME_TO_FIRST_TOKEN.buckets),
    (TIME_PER_OUTPUT_TOKEN.name, TIME_PER_OUTPUT_TOKEN.buckets),
    (REQUEST_COST.name, REQUEST_COST.buckets),
];

static METADATA: Metadata<'static> =
    Metadata::new("tower_bedrock::observe", Level::INFO, Some(module_path!()));

impl Instrument {
    pub(super) fn describe(&self, recorder: &dyn Recorder) {
        let name = KeyName::from_const_str(self.name);
        let (unit, description) = (Some(self.unit), self.description.into());
        match self.buckets {
            [] => recorder.describe_counter(name, unit, description),
            _ => recorder.describe_histogram(name, unit, description),
        }
    }

    pub(super) fn add(&self, recorder: &dyn Recorder, labels: Vec<Label>, count: u64) {
        let key = Key::from_parts(self.name, labels);
        recorder.register_counter(&key, &METADATA).increment(count);
    }

    pub(super) fn record(&self, recorder: &dyn Recorder, labels: Vec<Label>, value: f64) {
        let key = Key::from_parts(self.name, labels);
        recorder.register_histogram(&key, &METADATA).record(value);
    }
}
