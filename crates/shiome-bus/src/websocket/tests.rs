mod gateways;
mod machine;
mod raw;
mod served;
mod sockets;
mod stuck;

use super::pair;
