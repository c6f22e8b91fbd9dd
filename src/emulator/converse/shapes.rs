//! The request of Converse and ConverseStream as the service model has it.

use super::blocks::{BOOL, CACHE_POINT, DOCUMENT, GUARD_CONTENT, MESSAGES, STRING, TOOL_NAME};
use super::shape::Shape::{Enum, Int, List, Map, Share, Struct, Union};
use super::shape::{ANY, Member, OPTIONAL, REQUIRED, Shape, list, matching, text};

/// What both operations take, with the guardrail's settings of either.
const fn request(guardrail: &'static Shape) -> [Member; 12] {
    [
        ("messages", OPTIONAL, &MESSAGES),
        ("system", OPTIONAL, &SYSTEM),
        ("inferenceConfig", OPTIONAL, &INFERENCE),
        ("toolConfig", OPTIONAL, &TOOL_CONFIG),
        ("guardrailConfig", OPTIONAL, guardrail),
        ("additionalModelRequestFields", OPTIONAL, &DOCUMENT),
        ("promptVariables", OPTIONAL, &PROMPT_VARIABLES),
        (
            "additionalModelResponseFieldPaths",
            OPTIONAL,
            &RESPONSE_FIELDS,
        ),
        ("requestMetadata", OPTIONAL, &METADATA),
        ("performanceConfig", OPTIONAL, &PERFORMANCE),
        ("serviceTier", OPTIONAL, &TIER),
        ("outputConfig", OPTIONAL, &OUTPUT),
    ]
}

pub(super) static CONVERSE: Shape = Struct(&request(&GUARDRAIL));
pub(super) static CONVERSE_STREAM: Shape = Struct(&request(&GUARDRAIL_STREAM));

static FILLED: Shape = text(1, ANY);
static INT: Shape = Int;
static SHARE: Shape = Share;

static SYSTEM: Shape = list(&SYSTEM_BLOCK);
static SYSTEM_BLOCK: Shape = Union(
    "SystemContentBlock",
    &[
        ("text", OPTIONAL, &FILLED),
        ("guardContent", OPTIONAL, &GUARD_CONTENT),
        ("cachePoint", OPTIONAL, &CACHE_POINT),
    ],
);

static INFERENCE: Shape = Struct(&[
    ("maxTokens", OPTIONAL, &INT),
    ("temperature", OPTIONAL, &SHARE),
    ("topP", OPTIONAL, &SHARE),
    ("stopSequences", OPTIONAL, &STOP_SEQUENCES),
]);
static STOP_SEQUENCES: Shape = List {
    of: &FILLED,
    min: 0,
    max: 2500,
};

static TOOL_CONFIG: Shape = Struct(&[
    ("tools", REQUIRED, &TOOLS),
    ("toolChoice", OPTIONAL, &TOOL_CHOICE),
]);
static TOOLS: Shape = List {
    of: &TOOL,
    min: 1,
    max: ANY,
};
static TOOL: Shape = Union(
    "Tool",
    &[
        ("toolSpec", OPTIONAL, &TOOL_SPEC),
        ("systemTool", OPTIONAL, &NAMED),
        ("cachePoint", OPTIONAL, &CACHE_POINT),
    ],
);
static TOOL_SPEC: Shape = Struct(&[
    ("name", REQUIRED, &TOOL_NAME),
    ("description", OPTIONAL, &FILLED),
    ("inputSchema", REQUIRED, &INPUT_SCHEMA),
    ("strict", OPTIONAL, &BOOL),
]);
static INPUT_SCHEMA: Shape = Union("ToolInputSchema", &[("json", OPTIONAL, &DOCUMENT)]);
static NAMED: Shape = Struct(&[("name", REQUIRED, &TOOL_NAME)]);
static TOOL_CHOICE: Shape = Union(
    "ToolChoice",
    &[
        ("auto", OPTIONAL, &EMPTY),
        ("any", OPTIONAL, &EMPTY),
        ("tool", OPTIONAL, &NAMED),
    ],
);
static EMPTY: Shape = Struct(&[]);

static GUARDRAIL: Shape = Struct(&[
    ("guardrailIdentifier", OPTIONAL, &GUARDRAIL_ID),
    ("guardrailVersion", OPTIONAL, &GUARDRAIL_VERSION),
    ("trace", OPTIONAL, &TRACE),
]);
static GUARDRAIL_STREAM: Shape = Struct(&[
    ("guardrailIdentifier", OPTIONAL, &GUARDRAIL_ID),
    ("guardrailVersion", OPTIONAL, &GUARDRAIL_VERSION),
    ("trace", OPTIONAL, &TRACE),
    ("streamProcessingMode", OPTIONAL, &PROCESSING),
]);
static PROCESSING: Shape = Enum(&["sync", "async"]);
static TRACE: Shape = Enum(&["enabled", "disabled", "enabled_full"]);
static GUARDRAIL_ID: Shape = matching(
    0,
    2048,
    (
        "(|([a-z0-9]+)|(arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:guardrail/[a-z0-9]+))",
        |id| {
            let plain = |id: &str| {
                id.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            };
            let arn = id.starts_with("arn:aws");
            plain(id)
                || arn
                    && id
                        .split_once(":guardrail/")
                        .is_some_and(|(_, id)| plain(id))
        },
    ),
);
static GUARDRAIL_VERSION: Shape = matching(
    0,
    ANY,
    ("(|([1-9][0-9]{0,7})|(DRAFT))", |version| {
        let number = version.len() <= 8 && version.bytes().all(|b| b.is_ascii_digit());
        version == "DRAFT" || number && !version.starts_with('0')
    }),
);

static PROMPT_VARIABLES: Shape = Map {
    key: &STRING,
    value: &PROMPT_VARIABLE,
    min: 0,
    max: ANY,
};
static PROMPT_VARIABLE: Shape = Union("PromptVariableValues", &[("text", OPTIONAL, &STRING)]);
static RESPONSE_FIELDS: Shape = List {
    of: &RESPONSE_FIELD,
    min: 0,
    max: 10,
};
static RESPONSE_FIELD: Shape = text(1, 256);
static METADATA: Shape = Map {
    key: &METADATA_KEY,
    value: &METADATA_VALUE,
    min: 1,
    max: 16,
};
static METADATA_KEY: Shape = matching(
    1,
    256,
    ("[a-zA-Z0-9\\s:_@$#=/+,-.]{1,256}", metadata_characters),
);
static METADATA_VALUE: Shape = matching(
    0,
    256,
    ("[a-zA-Z0-9\\s:_@$#=/+,-.]{0,256}", metadata_characters),
);
fn metadata_characters(text: &str) -> bool {
    text.bytes().all(|byte| {
        byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b":_@$#=/+,-.".contains(&byte)
    })
}
static PERFORMANCE: Shape = Struct(&[("latency", OPTIONAL, &LATENCY)]);
static LATENCY: Shape = Enum(&["standard", "optimized"]);
static TIER: Shape = Struct(&[("type", REQUIRED, &TIERS)]);
static TIERS: Shape = Enum(&["priority", "default", "flex", "reserved"]);

static OUTPUT: Shape = Struct(&[
    ("textFormat", OPTIONAL, &TEXT_FORMAT),
    ("effort", OPTIONAL, &EFFORT),
]);
static EFFORT: Shape = text(0, 16);
static TEXT_FORMAT: Shape = Struct(&[
    ("type", REQUIRED, &TEXT_FORMAT_TYPE),
    ("structure", REQUIRED, &TEXT_STRUCTURE),
]);
static TEXT_FORMAT_TYPE: Shape = Enum(&["json_schema"]);
static TEXT_STRUCTURE: Shape = Union(
    "OutputFormatStructure",
    &[("jsonSchema", OPTIONAL, &JSON_SCHEMA)],
);
static JSON_SCHEMA: Shape = Struct(&[
    ("schema", REQUIRED, &STRING),
    ("name", OPTIONAL, &STRING),
    ("description", OPTIONAL, &STRING),
]);
