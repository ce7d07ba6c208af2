//! What the compiler says to a misuse, and that it says nothing to good input.

#[test]
fn misuse_is_explained_where_it_stands() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

#[test]
fn good_input_compiles_without_a_warning() {
    trybuild::TestCases::new().pass("tests/pass/*.rs");
}
