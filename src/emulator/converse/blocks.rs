//! The messages of a request and their blocks as the service model has them.

use super::shape::Shape::{Blob, Bool, Document, Enum, Struct, Union};
use super::shape::{ANY, Member, OPTIONAL, REQUIRED, Shape, list, matching, text};

pub(super) static STRING: Shape = text(0, ANY);
pub(super) static DOCUMENT: Shape = Document;
pub(super) static BOOL: Shape = Bool;
static BLOB: Shape = Blob;

pub(super) static MESSAGES: Shape = list(&MESSAGE);
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
pub(super) static TOOL_NAME: Shape = matching(
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

pub(super) static GUARD_CONTENT: Shape = Union(
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
pub(super) static CACHE_POINT: Shape = Struct(&[
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
