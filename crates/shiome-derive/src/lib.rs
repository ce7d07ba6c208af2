//! Derive macros for messages that cross a ractor cluster
use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

mod bytes;
mod codec;
mod message;
mod parse;

/// local
#[proc_macro_derive(RactorMessage, attributes(cluster))]
pub fn ractor_message(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input), message::local)
}

/// cluster
#[proc_macro_derive(RactorClusterMessage, attributes(rpc, cluster))]
pub fn ractor_cluster_message(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input), message::cluster)
}

/// bytes
#[proc_macro_derive(BytesConvertable, attributes(cluster))]
pub fn bytes_convertable(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input), bytes::value)
}

fn expand(
    input: &DeriveInput,
    derive: fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    derive(input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
