//! The request of Converse and ConverseStream as the service model has it.

use super::shape::Shape::{Blob, Bool, Document, Enum, Int, List, Map, Share, Struct, Text, Union};
use super::shape::{Member, Pattern, Shape};

const REQUIRED: bool = true;
const OPTIONAL: bool = false;
const ANY: usize = usize::MAX;

const fn text(min: usize, max: usize) -> Shape {
    Text {
        min,
        max,
        pattern: None,
    }
}

const fn matching(min: usize, max: usize, pattern: Pattern) -> Shape {
    Text {
        min,
        max,
        pattern: Some(pattern),
    }
}

const fn list(of: &'static Shape) -> Shape {
    List {
        of,
        min: 0,
        max: ANY,
    }
}

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

static STRING: Shape = text(0, ANY);
static FILLED: Shape = text(1, ANY);
static DOCUMENT: Shape = Document;
static BOOL: Shape = Bool;
static BLOB: Shape = Blob;
static INT: Shape = Int;
static SHARE: Shape = Share;

static MESSAGES: Shape = list(&MESSAGE);
static MESSAGE: Shape = Struct(&[("role", REQUIRED, &ROLE), ("content", REQUIRED, &CONTENT)]);
static ROLE: Shape = Enum(&["user", "assistant", "system"]);
static CONTENT: Shape = list(&BLOCK);
static BLOCK: Shape = Union(
    "ContentBlock",
    &[
        ("text", OPTIONAL, &STRING),
        ("image", OPTIONAL, &IMAGE),
        ("document", OPTIONAL, &FILE),
        ("video", OPTIONAL, &VIDEO),
        ("audio", OPTIONAL, &AUDIO),
        ("toolUse", OPTIONAL, &TOOL_USE),
        ("toolResult", OPTIONAL, &TOOL_RESULT),
        ("guardContent", OPTIONAL, &GUARD_CONTENT),
        ("cachePoint", OPTIONAL, &CACHE_POINT),
        ("reasoningContent", OPTIONAL, &REASONING),
        ("citationsContent", OPTIONAL, &CITATIONS_CONTENT),
        ("searchResult", OPTIONAL, &SEARCH_RESULT),
        ("toolAddition", OPTIONAL, &TOOL_CHANGE),
        ("toolRemoval", OPTIONAL, &TOOL_CHANGE),
    ],
);

static IMAGE: Shape = Struct(&[
    ("format", REQUIRED, &IMAGE_FORMAT),
    ("source", REQUIRED, &IMAGE_SOURCE),
    ("error", OPTIONAL, &DOCUMENT),
]);
static IMAGE_FORMAT: Shape = Enum(&["png", "jpeg", "gif", "webp"]);
static IMAGE_SOURCE: Shape = Union("ImageSource", &SOURCE);
static SOURCE: [Member; 2] = [
    ("bytes", OPTIONAL, &BLOB),
    ("s3Location", OPTIONAL, &S3_LOCATION),
];
static S3_LOCATION: Shape = Struct(&[
    ("uri", REQUIRED, &S3_URI),
    ("bucketOwner", OPTIONAL, &STRING),
]);
static S3_URI: Shape = matching(
    1,
    1024,
    ("s3://[a-z0-9][\\.\\-a-z0-9]{1,61}[a-z0-9](/.*)?", |uri| {
        uri.strip_prefix("s3://").is_some_and(|rest| rest.len() > 2)
    }),
);
static FILE: Shape = Struct(&[
    ("format", OPTIONAL, &FILE_FORMAT),
    ("name", REQUIRED, &FILE_NAME),
    ("source", REQUIRED, &FILE_SOURCE),
    ("context", OPTIONAL, &STRING),
    ("citations", OPTIONAL, &CITATIONS),
]);
static FILE_FORMAT: Shape = Enum(&[
    "pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md",
]);
static FILE_NAME: Shape = text(1, 200);
static FILE_SOURCE: Shape = Union(
    "DocumentSource",
    &[
        ("bytes", OPTIONAL, &BLOB),
        ("s3Location", OPTIONAL, &S3_LOCATION),
        ("text", OPTIONAL, &STRING),
        ("content", OPTIONAL, &TEXTS),
    ],
);
static TEXTS: Shape = list(&TEXT_BLOCK);
static TEXT_BLOCK: Shape = Union("DocumentContentBlock", &[("text", OPTIONAL, &STRING)]);
static CITATIONS: Shape = Struct(&[("enabled", REQUIRED, &BOOL)]);
static VIDEO: Shape = Struct(&[
    ("format", REQUIRED, &VIDEO_FORMAT),
    ("source", REQUIRED, &VIDEO_SOURCE),
]);
static VIDEO_FORMAT: Shape = Enum(&[
    "mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp",
]);
static VIDEO_SOURCE: Shape = Union("VideoSource", &SOURCE);
static AUDIO: Shape = Struct(&[
    ("format", REQUIRED, &AUDIO_FORMAT),
    ("source", REQUIRED, &AUDIO_SOURCE),
    ("error", OPTIONAL, &DOCUMENT),
]);
static AUDIO_FORMAT: Shape = Enum(&[
    "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg",
    "mpga", "pcm", "webm",
]);
static AUDIO_SOURCE: Shape = Union("AudioSource", &SOURCE);

static TOOL_USE: Shape = Struct(&[
    ("toolUseId", REQUIRED, &TOOL_USE_ID),
    ("name", REQUIRED, &TOOL_NAME),
    ("input", REQUIRED, &DOCUMENT),
    ("type", OPTIONAL, &TOOL_USE_TYPE),
]);
static TOOL_USE_TYPE: Shape = Enum(&["server_tool_use"]);
static TOOL_USE_ID: Shape = matching(
    1,
    64,
    ("[a-zA-Z0-9_.:-]+", |id| {
        id.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b))
    }),
);
static TOOL_NAME: Shape = matching(
    1,
    64,
    ("[a-zA-Z0-9_-]+", |name| {
        name.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    }),
);
static TOOL_RESULT: Shape = Struct(&[
    ("toolUseId", REQUIRED, &TOOL_USE_ID),
    ("content", REQUIRED, &RESULT_CONTENT),
    ("status", OPTIONAL, &STATUS),
    ("type", OPTIONAL, &STRING),
]);
static STATUS: Shape = Enum(&["success", "error"]);
static RESULT_CONTENT: Shape = list(&RESULT_BLOCK);
static RESULT_BLOCK: Shape = Union(
    "ToolResultContentBlock",
    &[
        ("json", OPTIONAL, &DOCUMENT),
        ("text", OPTIONAL, &STRING),
        ("image", OPTIONAL, &IMAGE),
        ("document", OPTIONAL, &FILE),
        ("video", OPTIONAL, &VIDEO),
        ("searchResult", OPTIONAL, &SEARCH_RESULT),
    ],
);
static SEARCH_RESULT: Shape = Struct(&[
    ("source", REQUIRED, &STRING),
    ("title", REQUIRED, &STRING),
    ("content", REQUIRED, &TEXTS),
    ("citations", OPTIONAL, &CITATIONS),
]);
static TOOL_CHANGE: Shape = Struct(&[("tool", REQUIRED, &DOCUMENT)]);

static GUARD_CONTENT: Shape = Union(
    "GuardrailConverseContentBlock",
    &[
        ("text", OPTIONAL, &GUARD_TEXT),
        ("image", OPTIONAL, &GUARD_IMAGE),
    ],
);
static GUARD_TEXT: Shape = Struct(&[
    ("text", REQUIRED, &STRING),
    ("qualifiers", OPTIONAL, &QUALIFIERS),
]);
static QUALIFIERS: Shape = list(&QUALIFIER);
static QUALIFIER: Shape = Enum(&["grounding_source", "query", "guard_content"]);
static GUARD_IMAGE: Shape = Struct(&[
    ("format", REQUIRED, &GUARD_IMAGE_FORMAT),
    ("source", REQUIRED, &GUARD_IMAGE_SOURCE),
]);
static GUARD_IMAGE_FORMAT: Shape = Enum(&["png", "jpeg"]);
static GUARD_IMAGE_SOURCE: Shape = Union(
    "GuardrailConverseImageSource",
    &[("bytes", OPTIONAL, &BLOB)],
);
static CACHE_POINT: Shape = Struct(&[
    ("type", REQUIRED, &CACHE_TYPE),
    ("ttl", OPTIONAL, &CACHE_TTL),
]);
static CACHE_TYPE: Shape = Enum(&["default"]);
static CACHE_TTL: Shape = Enum(&["5m", "1h"]);
static REASONING: Shape = Union(
    "ReasoningContentBlock",
    &[
        ("reasoningText", OPTIONAL, &REASONING_TEXT),
        ("redactedContent", OPTIONAL, &BLOB),
    ],
);
static REASONING_TEXT: Shape = Struct(&[
    ("text", REQUIRED, &STRING),
    ("signature", OPTIONAL, &STRING),
]);
static CITATIONS_CONTENT: Shape = Struct(&[
    ("content", OPTIONAL, &TEXTS),
    ("citations", OPTIONAL, &DOCUMENTS),
]);
static DOCUMENTS: Shape = list(&DOCUMENT);

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
