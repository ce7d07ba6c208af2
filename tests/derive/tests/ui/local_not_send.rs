use std::rc::Rc;

use shiome_derive::RactorMessage;

#[derive(RactorMessage)]
struct Plain(Rc<u8>);

#[derive(RactorMessage)]
struct Generic<T>(Rc<T>);

fn is_message<T: ractor::Message>() {}

fn main() {
    is_message::<Generic<u8>>();
}
