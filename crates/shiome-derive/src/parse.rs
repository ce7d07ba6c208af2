//! What the macros read from a type: its fields, its variants, its attributes.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::{Fields, GenericParam, Generics, Member, Type};

pub(crate) mod attributes;
pub(crate) mod variant;

/// Every mistake found in one input, reported together.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The value of `result`; its error is kept for [`Errors::finish`].
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn finish(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// A field of a struct or of a variant.
pub(crate) struct Field {
    /// Name or index: `Type { member: value }` builds and matches tuples too.
    pub(crate) member: Member,
    /// The local variable that holds the field's value in generated code.
    pub(crate) binding: Ident,
    pub(crate) ty: Type,
}

impl Field {
    pub(crate) fn all(fields: &Fields) -> Vec<Self> {
        fields
            .members()
            .zip(fields)
            .enumerate()
            .map(|(index, (member, field))| Self {
                member,
                binding: format_ident!("__field_{index}", span = Span::mixed_site()),
                ty: field.ty.clone(),
            })
            .collect()
    }
}

/// The type as written, without the invisible group that a `macro_rules!` fragment leaves around it.
pub(crate) fn plain(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}

/// Refuses lifetime parameters: what is decoded from owned bytes borrows nothing.
pub(crate) fn refuse_lifetimes(generics: &Generics, errors: &mut Errors) {
    for param in &generics.params {
        if let GenericParam::Lifetime(lifetime) = param {
            errors.push(syn::Error::new_spanned(
                lifetime,
                "what is decoded from bytes owns its data: remove the lifetime parameter and \
                 own the fields that use it (`String` for `&str`, `Vec<u8>` for `&[u8]`)",
            ));
        }
    }
}
