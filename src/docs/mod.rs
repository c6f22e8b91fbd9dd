//! Pages that belong to no single layer.

#[doc = include_str!("embedding.md")]
pub mod embedding {}

#[doc = include_str!("my_stack_does_not_compile.md")]
pub mod my_stack_does_not_compile {}
