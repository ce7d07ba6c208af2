//! The attributes `#[cluster(..)]` and `#[rpc]`.

use syn::{Attribute, DeriveInput, Fields, Meta, Path, parse_quote};

use super::Errors;

const CLUSTER: &str = "cluster";
const RPC: &str = "rpc";

/// Where the generated code finds ractor: `::ractor`, or the path in `#[cluster(crate = path)]`.
pub(crate) fn ractor_path(input: &DeriveInput, errors: &mut Errors) -> Path {
    let mut found = None;
    for attribute in named(&input.attrs, CLUSTER) {
        let Some(path) = errors.keep(crate_path(attribute)) else {
            continue;
        };
        if found.replace(path).is_some() {
            errors.push(syn::Error::new_spanned(
                attribute,
                "`#[cluster(..)]` given twice: remove this one",
            ));
        }
    }
    found.unwrap_or_else(|| parse_quote!(::ractor))
}

/// Whether the variant that carries `attributes` is marked `#[rpc]`.
pub(crate) fn is_rpc(attributes: &[Attribute], errors: &mut Errors) -> bool {
    let mut found = false;
    for attribute in named(attributes, RPC) {
        let problem = match &attribute.meta {
            Meta::Path(_) if found => "`#[rpc]` given twice: remove this one",
            Meta::Path(_) => {
                found = true;
                continue;
            }
            Meta::List(_) => "`#[rpc]` takes no arguments: write `#[rpc]`",
            Meta::NameValue(_) => "`#[rpc]` takes no value: write `#[rpc]`",
        };
        found = true;
        errors.push(syn::Error::new_spanned(attribute, problem));
    }
    found
}

/// Reports attributes of ours among `attributes`, where they mean nothing.
pub(crate) fn refuse_misplaced(attributes: &[Attribute], names: &[&str], errors: &mut Errors) {
    for name in names {
        for attribute in named(attributes, name) {
            let belongs = match *name {
                RPC => "`#[rpc]` belongs on a variant: move it there",
                _ => "`#[cluster(..)]` belongs on the type: move it there",
            };
            errors.push(syn::Error::new_spanned(attribute, belongs));
        }
    }
}

/// Reports attributes of ours on fields, where none belongs.
pub(crate) fn refuse_on_fields(fields: &Fields, errors: &mut Errors) {
    for field in fields {
        refuse_misplaced(&field.attrs, &[RPC, CLUSTER], errors);
    }
}

fn named<'a>(attributes: &'a [Attribute], name: &str) -> impl Iterator<Item = &'a Attribute> {
    attributes
        .iter()
        .filter(move |attribute| attribute.path().is_ident(name))
}

fn crate_path(attribute: &Attribute) -> syn::Result<Path> {
    let usage = "write `#[cluster(crate = path::to::ractor)]`";
    let Meta::List(list) = &attribute.meta else {
        return Err(syn::Error::new_spanned(attribute, usage));
    };
    let mut path = None;
    list.parse_nested_meta(|meta| {
        if !meta.path.is_ident("crate") {
            return Err(meta.error(format!("unknown key: {usage}")));
        }
        if path.is_some() {
            return Err(meta.error("`crate` given twice: remove this one"));
        }
        let value = meta.value().map_err(|_| meta.error(usage))?;
        let error = value.error(format!("not a path: {usage}"));
        path = Some(value.call(Path::parse_mod_style).map_err(|_| error)?);
        Ok(())
    })?;
    path.ok_or_else(|| syn::Error::new_spanned(attribute, usage))
}
