//! The field codec that messages and values share.
//!
//! ```text
//! offset  width  what
//! 0       8      length n of the field, u64 big-endian
//! 8       n      the field, as `BytesConvertable::into_bytes` gives it
//! ```
//!
//! once per field in declaration order, nothing between or after.
//!
//! `BytesConvertable::from_bytes` cannot fail, so bytes are judged before it is called. Generated code asks each
//! field's type for an associated function `__cluster_decode(Vec<u8>) -> Result<Self, &'static str>`. Types with
//! `#[derive(BytesConvertable)]` have an inherent one, which Rust prefers to that of the trait which [`support`] puts
//! in scope for all other types. A hand-written `BytesConvertable` type may have one too.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Generics, Ident, Path, Type, WhereClause, parse_quote};

use crate::parse::{Field, plain};

/// Built-in types that take their first bytes and ignore the rest: short input makes ractor panic.
const FIXED: [&str; 13] = [
    "i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128", "f32", "f64", "bool",
];

/// The expression that encodes `fields`, bound to their [`Field::binding`], into a `Vec<u8>` that starts with `head`.
pub(crate) fn encode(ractor: &Path, head: Option<TokenStream>, fields: &[Field]) -> TokenStream {
    let values = fields.iter().map(|Field { binding, ty, .. }| {
        quote!(<#ty as #ractor::BytesConvertable>::into_bytes(#binding))
    });
    let parts: Vec<_> = head.into_iter().chain(values).collect();
    if parts.is_empty() {
        return quote!(::std::vec::Vec::new());
    }
    quote!(__cluster_join([#(#parts),*]))
}

/// Statements that bind every field's [`Field::binding`] to its value, read from `bytes` (a `Vec<u8>`) at `start`.
/// They leave with `?` when the bytes do not hold exactly these fields.
pub(crate) fn decode(fields: &[Field], bytes: &Ident, start: TokenStream) -> TokenStream {
    let count = fields.len();
    let bindings: Vec<_> = fields.iter().map(|field| &field.binding).collect();
    let decoders = fields.iter().map(|field| decoder(&field.ty));
    quote! {
        let [#(#bindings),*] = __cluster_split::<#count>(#bytes, #start)?;
        #( let #bindings = #decoders(#bindings)?; )*
    }
}

/// The function that reads a `ty` from a `Vec<u8>`.
pub(crate) fn decoder(ty: &Type) -> TokenStream {
    quote_spanned!(ty.span()=> <#ty>::__cluster_decode)
}

/// `{ member: binding, .. }`, which builds and matches every kind of struct and variant.
pub(crate) fn braced<'a>(fields: impl IntoIterator<Item = &'a Field>) -> TokenStream {
    let fields = fields.into_iter().map(
        |Field {
             member, binding, ..
         }| quote!(#member: #binding),
    );
    quote!({ #(#fields),* })
}

/// The where clause of `generics` with what encoding and decoding `types` needs: `extra` for each type parameter, and
/// `BytesConvertable` for each that is a value itself and for each field type made of parameters.
pub(crate) fn bounds<'a>(
    ractor: &Path,
    owner: &Ident,
    generics: &Generics,
    types: impl IntoIterator<Item = &'a Type>,
    extra: &TokenStream,
) -> Option<WhereClause> {
    let mut generics = generics.clone();
    let params: Vec<_> = generics
        .type_params()
        .map(|param| param.ident.clone())
        .collect();
    if params.is_empty() {
        return generics.where_clause;
    }
    let clause = generics.make_where_clause();
    for param in &params {
        clause.predicates.push(parse_quote!(#param: #extra));
    }
    for ty in types {
        let mut seen = Mentions::default();
        seen.scan(ty.to_token_stream(), &params, owner);
        for param in &seen.values {
            let bound = parse_quote!(#param: #ractor::BytesConvertable);
            clause.predicates.push(bound);
        }
        // A bound on a type that contains its owner would depend on itself.
        if seen.any && !seen.owner && !is_param(ty, &params) {
            let bound = parse_quote!(#ty: #ractor::BytesConvertable + #extra);
            clause.predicates.push(bound);
        }
    }
    generics.where_clause
}

/// Which type parameters occur in a type.
#[derive(Default)]
struct Mentions {
    any: bool,
    owner: bool,
    /// Parameters that stand for a value, not only for the source of an associated type.
    values: Vec<Ident>,
}

impl Mentions {
    fn scan(&mut self, tokens: TokenStream, params: &[Ident], owner: &Ident) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => self.scan(group.stream(), params, owner),
                TokenTree::Ident(ident) if ident == "Self" || ident == *owner => self.owner = true,
                TokenTree::Ident(ident) if params.contains(&ident) => {
                    self.any = true;
                    let projected = match tokens.peek() {
                        Some(TokenTree::Punct(next)) => next.as_char() == ':',
                        Some(TokenTree::Ident(next)) => next == "as",
                        _ => false,
                    };
                    if !projected {
                        self.values.push(ident);
                    }
                }
                _ => {}
            }
        }
    }
}

fn is_param(ty: &Type, params: &[Ident]) -> bool {
    match plain(ty) {
        Type::Path(path) => path
            .path
            .get_ident()
            .is_some_and(|ident| params.contains(ident)),
        _ => false,
    }
}

/// The items that [`encode`] and [`decode`] call; they go into the same block.
pub(crate) fn support(ractor: &Path) -> TokenStream {
    let parts = parts();
    let judge = judge(ractor);
    quote! {
        #parts
        #judge

        fn __cluster_catch<R>(
            run: impl ::core::ops::FnOnce() -> R,
        ) -> ::core::result::Result<R, &'static str> {
            use ::std::prelude::rust_2021::*;
            ::std::panic::catch_unwind(::std::panic::AssertUnwindSafe(run))
                .map_err(|_| "the type's own conversion panicked")
        }
    }
}

/// Putting length-prefixed parts together and taking them apart.
fn parts() -> TokenStream {
    quote! {
        fn __cluster_join<const N: usize>(parts: [::std::vec::Vec<u8>; N]) -> ::std::vec::Vec<u8> {
            use ::std::prelude::rust_2021::*;
            let len = parts.iter().map(|part| 8 + part.len()).sum();
            let mut out = Vec::with_capacity(len);
            for part in parts {
                out.extend_from_slice(&(part.len() as u64).to_be_bytes());
                out.extend_from_slice(&part);
            }
            out
        }

        /// The offset after the part that starts at `start`.
        fn __cluster_end(
            bytes: &[u8],
            start: usize,
        ) -> ::core::result::Result<usize, &'static str> {
            use ::std::prelude::rust_2021::*;
            let Some((length, rest)) = bytes.get(start..).and_then(|rest| rest.split_first_chunk()) else {
                return Err("the bytes end before a field's length");
            };
            match usize::try_from(u64::from_be_bytes(*length)) {
                Ok(length) if length <= rest.len() => Ok(bytes.len() - rest.len() + length),
                _ => Err("a field is longer than the bytes that are left"),
            }
        }

        /// The `N` parts from `start` to the very end. All lengths are checked before the first copy, and the last
        /// part keeps the buffer: decoding never holds more than twice the input, however deep values nest.
        fn __cluster_split<const N: usize>(
            mut bytes: ::std::vec::Vec<u8>,
            start: usize,
        ) -> ::core::result::Result<[::std::vec::Vec<u8>; N], &'static str> {
            use ::std::prelude::rust_2021::*;
            let mut ends = [start; N];
            let mut end = start;
            for slot in &mut ends {
                end = __cluster_end(&bytes, end)?;
                *slot = end;
            }
            if end != bytes.len() {
                return Err("bytes are left over after the last field");
            }
            let mut parts = [const { Vec::new() }; N];
            let mut at = start;
            for (index, (part, end)) in parts.iter_mut().zip(ends).enumerate() {
                if index + 1 == N {
                    bytes.drain(..at + 8);
                    *part = ::core::mem::take(&mut bytes);
                } else {
                    *part = bytes[at + 8..end].to_vec();
                }
                at = end;
            }
            Ok(parts)
        }
    }
}

/// Deciding whether bytes hold a value before `from_bytes` sees them.
fn judge(ractor: &Path) -> TokenStream {
    let fixed = FIXED.map(|name| Ident::new(name, proc_macro2::Span::call_site()));
    let numbers = &fixed;
    quote! {
        // Implemented for all types, so that the one complaint about a type that is not convertible names that.
        trait __ClusterDecode: ::core::marker::Sized {
            fn __cluster_decode(
                bytes: ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<Self, &'static str>
            where
                Self: #ractor::BytesConvertable + 'static;
        }

        impl<T> __ClusterDecode for T {
            fn __cluster_decode(
                bytes: ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<Self, &'static str>
            where
                Self: #ractor::BytesConvertable + 'static,
            {
                use ::std::prelude::rust_2021::*;
                match __cluster_fits::<Self>(&bytes).filter(|_| __cluster_classic()) {
                    Some(true) => Ok(<Self as #ractor::BytesConvertable>::from_bytes(bytes)),
                    Some(false) => Err("a field's bytes are no value of its type"),
                    None => __cluster_catch(|| <Self as #ractor::BytesConvertable>::from_bytes(bytes)),
                }
            }
        }

        /// Whether built-in types have their classic layout: ractor's feature `blanket_serde` gives them another.
        fn __cluster_classic() -> bool {
            static CLASSIC: ::std::sync::OnceLock<bool> = ::std::sync::OnceLock::new();
            *CLASSIC.get_or_init(|| {
                <u32 as #ractor::BytesConvertable>::into_bytes(0x0102_0304) == [1, 2, 3, 4]
            })
        }

        /// Whether the built-in type `T` reads `bytes` without a panic; `None` when `T` is not built in.
        fn __cluster_fits<T: 'static>(bytes: &[u8]) -> ::core::option::Option<bool> {
            use ::core::any::TypeId;
            use ::std::prelude::rust_2021::*;
            let scalar = |raw: &[u8; 4]| char::from_u32(u32::from_be_bytes(*raw)).is_some();
            let id = TypeId::of::<T>();
            #(
                if id == TypeId::of::<#fixed>() {
                    return Some(bytes.len() >= ::core::mem::size_of::<#fixed>());
                }
                if id == TypeId::of::<Vec<#numbers>>() {
                    return Some(true);
                }
            )*
            if id == TypeId::of::<()>() {
                Some(true)
            } else if id == TypeId::of::<char>() {
                Some(bytes.first_chunk().is_some_and(scalar))
            } else if id == TypeId::of::<Vec<char>>() {
                Some(bytes.chunks_exact(4).all(|raw| raw.first_chunk().is_some_and(scalar)))
            } else if id == TypeId::of::<String>() {
                Some(::core::str::from_utf8(bytes).is_ok())
            } else {
                None
            }
        }
    }
}
