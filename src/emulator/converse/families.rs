//! The families of models, from the vendors' documentation and from recorded answers.

use super::family::{Beside, Family, Sampling, Thinking, Vendor};

const MEDIA: &[&str] = &["image", "document", "video", "audio"];

/// Takes everything: a model that nobody described.
pub(super) const ANY: Family = Family {
    vendor: Vendor::Other,
    sampling: Sampling::Free,
    thinking: Thinking::Both,
    effort: "max",
    system: true,
    system_turns: true,
    tools: true,
    forced_tool: true,
    strict_tools: true,
    schema: true,
    cache: true,
    stop: true,
    s3: true,
    leads: true,
    prefill: true,
    alternates: false,
    beside_results: Beside::Anything,
    status: true,
    reasoning: true,
    media: MEDIA,
    media_in_results: MEDIA,
};

/// What all Claude models have in common.
const CLAUDE: Family = Family {
    vendor: Vendor::Claude,
    s3: false,
    media: &["image", "document"],
    media_in_results: &["image", "document"],
    ..ANY
};
const CLAUDE_2: Family = Family {
    thinking: Thinking::No,
    tools: false,
    cache: false,
    media: &["document"],
    ..CLAUDE_3
};
const CLAUDE_3: Family = Family {
    system_turns: false,
    thinking: Thinking::No,
    effort: "",
    schema: false,
    ..CLAUDE
};
const CLAUDE_4: Family = Family {
    thinking: Thinking::Budget,
    ..CLAUDE_3
};
const CLAUDE_4_5: Family = Family {
    sampling: Sampling::OneOfThem,
    schema: true,
    ..CLAUDE_4
};
const CLAUDE_4_6: Family = Family {
    thinking: Thinking::Both,
    effort: "max",
    prefill: false,
    ..CLAUDE_4_5
};
/// From 4.7 on there is no sampling and no budget.
const CLAUDE_5: Family = Family {
    system_turns: true,
    sampling: Sampling::Neither,
    thinking: Thinking::Adaptive,
    effort: "xhigh",
    strict_tools: false,
    ..CLAUDE_4_6
};
const CLAUDE_ALWAYS: Family = Family {
    thinking: Thinking::Always,
    ..CLAUDE_5
};

const NOVA: Family = Family {
    vendor: Vendor::Nova,
    system_turns: false,
    thinking: Thinking::No,
    effort: "",
    schema: false,
    strict_tools: false,
    leads: false,
    prefill: false,
    alternates: true,
    reasoning: false,
    media: &["image", "document", "video"],
    media_in_results: &["image", "document"],
    ..ANY
};

/// The smaller vendors: no forced tools, no caching, no files, no schemas.
const PLAIN: Family = Family {
    system_turns: false,
    thinking: Thinking::No,
    forced_tool: false,
    effort: "",
    strict_tools: false,
    schema: false,
    cache: false,
    leads: false,
    beside_results: Beside::Nothing,
    reasoning: false,
    media: &["document"],
    media_in_results: &[],
    ..ANY
};
const TITAN: Family = Family {
    system: false,
    tools: false,
    ..PLAIN
};
/// Open models that came later.
const OPEN: Family = Family {
    thinking: Thinking::No,
    cache: false,
    media_in_results: &[],
    ..ANY
};

/// The first whose name the id contains.
pub(super) const FAMILIES: &[(&str, Family)] = &[
    (
        "claude-opus-5-5",
        Family {
            forced_tool: false,
            effort: "max",
            schema: false,
            ..CLAUDE_ALWAYS
        },
    ),
    (
        "claude-sonnet-5-5",
        Family {
            forced_tool: false,
            ..CLAUDE_ALWAYS
        },
    ),
    ("claude-haiku-5-5", CLAUDE_5),
    (
        "claude-fable-5-1",
        Family {
            forced_tool: false,
            schema: false,
            ..CLAUDE_ALWAYS
        },
    ),
    (
        "claude-fable",
        Family {
            schema: false,
            ..CLAUDE_ALWAYS
        },
    ),
    ("claude-mythos", CLAUDE_ALWAYS),
    (
        "claude-opus-5",
        Family {
            effort: "max",
            schema: false,
            ..CLAUDE_5
        },
    ),
    ("claude-sonnet-5", CLAUDE_5),
    ("claude-opus-4-8", CLAUDE_5),
    (
        "claude-opus-4-7",
        Family {
            system_turns: false,
            schema: false,
            ..CLAUDE_5
        },
    ),
    ("claude-opus-4-6", CLAUDE_4_6),
    ("claude-sonnet-4-6", CLAUDE_4_6),
    (
        "claude-opus-4-5",
        Family {
            effort: "high",
            ..CLAUDE_4_5
        },
    ),
    ("claude-sonnet-4-5", CLAUDE_4_5),
    ("claude-haiku-4-5", CLAUDE_4_5),
    (
        "claude-opus-4-1",
        Family {
            sampling: Sampling::OneOfThem,
            ..CLAUDE_4
        },
    ),
    ("claude-opus-4", CLAUDE_4),
    ("claude-sonnet-4", CLAUDE_4),
    ("claude-3-7", CLAUDE_4),
    ("claude-3", CLAUDE_3),
    ("claude-v2", CLAUDE_2),
    ("claude-instant", CLAUDE_2),
    ("anthropic", CLAUDE),
    (
        "nova-2",
        Family {
            thinking: Thinking::Nova,
            reasoning: true,
            ..NOVA
        },
    ),
    (
        "nova-micro",
        Family {
            media: &["document"],
            ..NOVA
        },
    ),
    ("nova", NOVA),
    ("titan", TITAN),
    (
        "llama4",
        Family {
            s3: false,
            media: &["image", "document"],
            media_in_results: &["image", "document"],
            ..PLAIN
        },
    ),
    (
        "llama3-8b",
        Family {
            tools: false,
            ..PLAIN
        },
    ),
    (
        "llama3-70b",
        Family {
            tools: false,
            ..PLAIN
        },
    ),
    ("llama", Family { s3: false, ..PLAIN }),
    ("mistral-7b", TITAN),
    ("mixtral", TITAN),
    (
        "pixtral",
        Family {
            media: &["image", "document"],
            media_in_results: &["document"],
            ..PLAIN
        },
    ),
    (
        "mistral-large-3",
        Family {
            schema: true,
            strict_tools: true,
            ..PLAIN
        },
    ),
    (
        "ministral-3",
        Family {
            schema: true,
            strict_tools: true,
            ..PLAIN
        },
    ),
    (
        "magistral",
        Family {
            schema: true,
            strict_tools: true,
            ..PLAIN
        },
    ),
    (
        "voxtral",
        Family {
            schema: true,
            strict_tools: true,
            media: &["audio", "document"],
            ..PLAIN
        },
    ),
    ("mistral", PLAIN),
    (
        "writer",
        Family {
            status: false,
            ..PLAIN
        },
    ),
    ("cohere.command-r", PLAIN),
    ("cohere", TITAN),
    ("ai21", PLAIN),
    (
        "deepseek.r1",
        Family {
            tools: false,
            schema: false,
            ..OPEN
        },
    ),
    (
        "qwen",
        Family {
            vendor: Vendor::Qwen,
            forced_tool: false,
            ..OPEN
        },
    ),
    (
        "gpt-oss",
        Family {
            vendor: Vendor::GptOss,
            stop: false,
            ..OPEN
        },
    ),
    (
        "openai.",
        Family {
            stop: false,
            ..OPEN
        },
    ),
    (
        "xai.",
        Family {
            stop: false,
            ..OPEN
        },
    ),
    ("moonshot", OPEN),
    ("zai.", OPEN),
    ("google.", OPEN),
    ("minimax", OPEN),
    ("nvidia", OPEN),
];
