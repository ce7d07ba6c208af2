//! Two private networks with a NAT each, and what is outside of them, made of network namespaces.
//!
//! ```text
//!  A 10.0.1.2 ── 10.0.1.1 NAT 198.51.100.2 ──┐
//!                                            ├── 198.51.100.1 outside: relay, coturn
//!  B 10.0.2.2 ── 10.0.2.1 NAT 198.51.100.3 ──┘
//! ```

use std::{
    process::{Child, Command, Stdio, id},
    time::{Duration, Instant},
};

/// Where coturn listens.
pub(crate) const TURN: &str = "198.51.100.1:3478";

/// Who is where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    A,
    B,
    NatA,
    NatB,
    Outside,
}

impl Side {
    const ALL: [Self; 5] = [Self::A, Self::B, Self::NatA, Self::NatB, Self::Outside];

    /// The name of its namespace, of this process alone.
    fn name(self) -> String {
        format!("shiome-{}-{self:?}", id())
    }
}

/// All of it, taken down when dropped.
pub(crate) struct Network {
    turn: Option<Child>,
}

impl Network {
    /// Makes it, or says what is missing.
    pub(crate) fn new() -> Result<Self, String> {
        for tool in ["ip", "iptables", "turnserver"] {
            let found = quiet(Command::new("sh").args(["-c", &format!("command -v {tool}")]));
            found.map_err(|_| format!("there is no {tool}"))?;
        }
        let mut network = Self { turn: None };
        for side in Side::ALL {
            ip(&["netns", "add", &side.name()])?;
            network.run(side, "ip link set lo up")?;
        }
        network.run(Side::Outside, "ip link add public type bridge")?;
        network.run(Side::Outside, "ip addr add 198.51.100.1/24 dev public")?;
        network.run(Side::Outside, "ip link set public up")?;
        // Private addresses lead nowhere, without a word: coturn ends a session whose peer it cannot send to.
        let nowhere =
            "ip neigh add 198.51.100.254 lladdr 02:00:00:00:00:01 dev public nud permanent";
        network.run(Side::Outside, nowhere)?;
        network.run(Side::Outside, "ip route add default via 198.51.100.254")?;
        network.join(Side::NatA, Side::A, 2)?;
        network.join(Side::NatB, Side::B, 3)?;
        network.turn = Some(network.start_turn()?);
        Ok(network)
    }

    /// Puts a side behind its NAT, which has that number outside.
    fn join(&self, nat: Side, inner: Side, number: u8) -> Result<(), String> {
        let (nat_name, inner_name) = (nat.name(), inner.name());
        let network = format!("10.0.{}", number - 1);
        let port = format!("port{number}");
        let veth = ["link", "add", "out", "netns", &nat_name, "type", "veth"];
        let outside = Side::Outside.name();
        ip(&[&veth[..], &["peer", "name", &port, "netns", &outside]].concat())?;
        let veth = ["link", "add", "in", "netns", &nat_name, "type", "veth"];
        ip(&[&veth[..], &["peer", "name", "eth0", "netns", &inner_name]].concat())?;
        self.run(
            Side::Outside,
            &format!("ip link set {port} master public up"),
        )?;
        for command in [
            format!("ip addr add 198.51.100.{number}/24 dev out"),
            format!("ip addr add {network}.1/24 dev in"),
            "ip link set out up".to_owned(),
            "ip link set in up".to_owned(),
            "sysctl -qw net.ipv4.ip_forward=1".to_owned(),
            "iptables -t nat -A POSTROUTING -o out -j MASQUERADE".to_owned(),
            // What nobody inside has asked for is not let in, and leaves no trace by which a port would be taken.
            "iptables -P INPUT DROP".to_owned(),
            "iptables -P FORWARD DROP".to_owned(),
            "iptables -A FORWARD -i in -j ACCEPT".to_owned(),
            "iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT".to_owned(),
        ] {
            self.run(nat, &command)?;
        }
        self.run(inner, &format!("ip addr add {network}.2/24 dev eth0"))?;
        self.run(inner, "ip link set eth0 up")?;
        self.run(inner, &format!("ip route add default via {network}.1"))
    }

    /// A command in a namespace.
    pub(crate) fn within(&self, side: Side, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &side.name(), program]);
        command
    }

    fn run(&self, side: Side, command: &str) -> Result<(), String> {
        let mut words = command.split(' ');
        let program = words.next().unwrap_or_default();
        quiet(self.within(side, program).args(words))
    }

    /// Lets no datagram through either NAT, or lets them through again.
    pub(crate) fn cut(&self, cut: bool) {
        let change = if cut { "-I" } else { "-D" };
        for nat in [Side::NatA, Side::NatB] {
            let rule = format!("iptables {change} FORWARD -p udp -j DROP");
            self.run(nat, &rule).unwrap();
        }
    }

    /// From now on both NATs take another port for each destination.
    pub(crate) fn scatter(&self) {
        for nat in [Side::NatA, Side::NatB] {
            let rule = "-t nat -F POSTROUTING";
            self.run(nat, &format!("iptables {rule}")).unwrap();
            let rule = "-t nat -A POSTROUTING -o out -p udp -j MASQUERADE --random-fully";
            self.run(nat, &format!("iptables {rule}")).unwrap();
            let rule = "-t nat -A POSTROUTING -o out -j MASQUERADE";
            self.run(nat, &format!("iptables {rule}")).unwrap();
        }
    }

    fn start_turn(&self) -> Result<Child, String> {
        let mut command = self.within(Side::Outside, "turnserver");
        let host = TURN.split(':').next().unwrap_or_default();
        command
            .args(["--no-cli", "--no-tls", "--no-dtls"])
            .args(["--lt-cred-mech", "--user=alice:secret", "--realm=shiome"])
            .args([
                format!("--listening-ip={host}"),
                format!("--relay-ip={host}"),
            ])
            .args(["--log-file=stdout", "--pidfile=", "--userdb=/dev/null"])
            .arg("-n")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().map_err(|error| error.to_string())?;
        let by = Instant::now() + Duration::from_secs(30);
        // It says nothing that could be waited for, and each look is a process of its own.
        let listens = "ss -Hltn sport = :3478";
        while !self.says_something(Side::Outside, listens) {
            if Instant::now() > by {
                return Err("turnserver does not listen".to_owned());
            }
        }
        Ok(child)
    }

    fn says_something(&self, side: Side, command: &str) -> bool {
        let mut words = command.split(' ');
        let program = words.next().unwrap_or_default();
        let output = self.within(side, program).args(words).output();
        output.is_ok_and(|output| !output.stdout.is_empty())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(turn) = &mut self.turn {
            // It may have ended by itself.
            let _ = turn.kill();
            let _ = turn.wait();
        }
        for side in Side::ALL {
            // One that was not made cannot be taken down.
            let _ = ip(&["netns", "del", &side.name()]);
        }
    }
}

fn ip(args: &[&str]) -> Result<(), String> {
    quiet(Command::new("ip").args(args))
}

/// Runs a command; what it says when it fails.
fn quiet(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("{command:?}: {}", said.trim()))
        }
    }
}
