//! The attributes `#[cluster(..)]` and `#[rpc]`.

use syn::{Attribute, DeriveInput, Fields, Meta, Path, parse_quote};

use super::Errors;

const CLUSTER: &str = "cluster";
const RPC: &str = "rpc";

/// Where the generated code finds what it names.
pub(crate) struct Paths {
    /// `::ractor`, or the path in `#[cluster(crate = path)]`.
    pub(crate) ractor: Path,
    /// The path in `#[cluster(trace = path)]`.
    pub(crate) trace: Option<Path>,
}

/// What `#[cluster(..)]` says of a type whose messages can be part of a trace.
pub(crate) fn paths(input: &DeriveInput, errors: &mut Errors) -> Paths {
    let mut found = None;
    for attribute in named(&input.attrs, CLUSTER) {
        let Some(keys) = errors.keep(Keys::parse(attribute)) else {
            continue;
        };
        if found.replace(keys).is_some() {
            errors.push(syn::Error::new_spanned(
                attribute,
                "`#[cluster(..)]` given twice: remove this one",
            ));
        }
    }
    let keys = found.unwrap_or_default();
    Paths {
        ractor: keys.ractor.unwrap_or_else(|| parse_quote!(::ractor)),
        trace: keys.trace,
    }
}

/// Where the generated code finds ractor.
pub(crate) fn ractor_path(input: &DeriveInput, errors: &mut Errors) -> Path {
    let Paths { ractor, trace } = paths(input, errors);
    if let Some(trace) = trace {
        errors.push(syn::Error::new_spanned(
            trace,
            "`trace` is for `RactorClusterMessage`: remove it",
        ));
    }
    ractor
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

/// What stands in one `#[cluster(..)]`.
#[derive(Default)]
struct Keys {
    ractor: Option<Path>,
    trace: Option<Path>,
}

impl Keys {
    fn parse(attribute: &Attribute) -> syn::Result<Self> {
        let usage = "write `#[cluster(crate = path::to::ractor)]`";
        let Meta::List(list) = &attribute.meta else {
            return Err(syn::Error::new_spanned(attribute, usage));
        };
        let mut keys = Self::default();
        list.parse_nested_meta(|meta| {
            let (key, path, usage) = if meta.path.is_ident("trace") {
                let usage = "write `#[cluster(trace = path::to::shiome)]`";
                ("trace", &mut keys.trace, usage)
            } else if meta.path.is_ident("crate") {
                ("crate", &mut keys.ractor, usage)
            } else {
                return Err(meta.error(format!("unknown key: {usage}")));
            };
            if path.is_some() {
                return Err(meta.error(format!("`{key}` given twice: remove this one")));
            }
            let value = meta.value().map_err(|_| meta.error(usage))?;
            let error = value.error(format!("not a path: {usage}"));
            *path = Some(value.call(Path::parse_mod_style).map_err(|_| error)?);
            Ok(())
        })?;
        if keys.ractor.is_none() && keys.trace.is_none() {
            return Err(syn::Error::new_spanned(attribute, usage));
        }
        Ok(keys)
    }
}
