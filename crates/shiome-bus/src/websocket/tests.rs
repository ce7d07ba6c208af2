mod machine;
mod pair;
mod raw;
mod served;
mod sockets;
