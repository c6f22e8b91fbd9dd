//! Regions and the partitions they belong to.
//!
//! Source: the partition table of the AWS SDKs (`partitions.json`). The list of regions is not
//! closed: any name that fits a partition's pattern is accepted, so a new region works on its
//! first day, and nothing that could lead to another host is.

/// A group of regions with its own DNS suffix.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// The partition's id, as in ARNs.
    pub(crate) id: &'static str,
    /// Region names start with one of these labels.
    prefixes: &'static [&'static str],
    /// DNS suffix of ordinary and FIPS endpoints.
    pub(crate) suffix: &'static str,
    /// DNS suffix of dual-stack endpoints.
    pub(crate) dual_stack_suffix: &'static str,
}

/// No region fits two of them: after `us-` a place is one word, so that `us-gov-west-1` is none.
/// Most requests are for the first.
const PARTITIONS: [Partition; 8] = [
    Partition {
        id: "aws",
        prefixes: &[
            "us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-",
        ],
        suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
    },
    Partition {
        id: "aws-us-gov",
        prefixes: &["us-gov-"],
        suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
    },
    Partition {
        id: "aws-iso",
        prefixes: &["us-iso-"],
        suffix: "c2s.ic.gov",
        dual_stack_suffix: "api.aws.ic.gov",
    },
    Partition {
        id: "aws-iso-b",
        prefixes: &["us-isob-"],
        suffix: "sc2s.sgov.gov",
        dual_stack_suffix: "api.aws.scloud",
    },
    Partition {
        id: "aws-iso-e",
        prefixes: &["eu-isoe-"],
        suffix: "cloud.adc-e.uk",
        dual_stack_suffix: "api.cloud-aws.adc-e.uk",
    },
    Partition {
        id: "aws-iso-f",
        prefixes: &["us-isof-"],
        suffix: "csp.hci.ic.gov",
        dual_stack_suffix: "api.aws.hci.ic.gov",
    },
    Partition {
        id: "aws-eusc",
        prefixes: &["eusc-de-"],
        suffix: "amazonaws.eu",
        dual_stack_suffix: "api.amazonwebservices.eu",
    },
    Partition {
        id: "aws-cn",
        prefixes: &["cn-"],
        suffix: "amazonaws.com.cn",
        dual_stack_suffix: "api.amazonwebservices.com.cn",
    },
];

/// The partition of `region`, or `None` if it is not the name of a region in any of them.
pub(crate) fn partition(region: &str) -> Option<&'static Partition> {
    PARTITIONS.iter().find(|partition| {
        partition
            .prefixes
            .iter()
            .any(|prefix| region.strip_prefix(prefix).is_some_and(is_place))
    })
}

/// `\w+-\d+` without the underscore: one word, then a number of one or two digits.
fn is_place(rest: &str) -> bool {
    let bytes = rest.as_bytes();
    let word = bytes.iter().take_while(|byte| byte.is_ascii_lowercase());
    let Some((word, [b'-', number @ ..])) = bytes.split_at_checked(word.count()) else {
        return false;
    };
    (1..=16).contains(&word.len()) && matches!(number, [b'0'..=b'9'] | [b'0'..=b'9', b'0'..=b'9'])
}

#[cfg(test)]
mod tests {
    use super::partition;

    #[test]
    fn every_partition_is_found() {
        for (region, id) in [
            ("us-east-1", "aws"),
            ("ap-southeast-7", "aws"),
            ("mx-central-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(partition(region).map(|p| p.id), Some(id), "{region}");
        }
    }

    #[test]
    fn nothing_else_is_a_region() {
        let long = format!("us-{}-1", "a".repeat(300));
        for bad in [
            "",
            ".",
            "..",
            "us-east-1.evil.com",
            "us-east-1.",
            "us-east-1#",
            "us-east-1@x",
            "US-EAST-1",
            "us-east",
            "us-east-",
            "us--1",
            "us-east-123",
            "us-ea_st-1",
            "us-east-1:80",
            "%2e%2e",
            "xx-east-1",
            "eusc-fr-east-1",
            "us-east-\u{661}",
            &long,
        ] {
            assert!(partition(bad).is_none(), "{bad}");
        }
    }
}
