/// A step of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Start,
    Join,
    Encrypt,
    Group,
    Cast,
    Call,
    Kill,
    Leave,
    OpenCall,
    Down,
    NewCall,
    Survive,
    Restart,
    Rejoin,
    Recount,
    #[cfg(unix)]
    Freeze,
    #[cfg(unix)]
    Cut,
    #[cfg(unix)]
    Thaw,
    Stop,
    Pair,
    Expose,
    Handle,
    Monitor,
    Refuse,
    #[cfg(unix)]
    Full,
    #[cfg(unix)]
    Silent,
    #[cfg(unix)]
    Return,
    Bulk,
    Lost,
    Renew,
    Part,
    Stranger,
    Impostor,
    Admit,
}

impl Step {
    /// All steps, in order, of a demo with TLS or without.
    pub(super) fn all(with_tls: bool) -> impl Iterator<Item = Self> {
        let all = Self::ALL.iter().copied();
        all.filter(move |step| with_tls || !step.is_of_tls())
    }

    fn is_of_tls(self) -> bool {
        matches!(
            self,
            Self::Encrypt | Self::Stranger | Self::Impostor | Self::Admit
        )
    }

    const ALL: &[Self] = &[
        Self::Start,
        Self::Join,
        Self::Encrypt,
        Self::Group,
        Self::Cast,
        Self::Call,
        Self::Kill,
        Self::Leave,
        Self::OpenCall,
        Self::Down,
        Self::NewCall,
        Self::Survive,
        Self::Restart,
        Self::Rejoin,
        Self::Recount,
        #[cfg(unix)]
        Self::Freeze,
        #[cfg(unix)]
        Self::Cut,
        #[cfg(unix)]
        Self::Thaw,
        Self::Stop,
        Self::Pair,
        Self::Expose,
        Self::Handle,
        Self::Monitor,
        Self::Refuse,
        #[cfg(unix)]
        Self::Full,
        #[cfg(unix)]
        Self::Silent,
        #[cfg(unix)]
        Self::Return,
        Self::Bulk,
        Self::Lost,
        Self::Renew,
        Self::Part,
        Self::Stranger,
        Self::Impostor,
        Self::Admit,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Join => "join",
            Self::Encrypt => "encrypt",
            Self::Group => "group",
            Self::Cast => "cast",
            Self::Call => "call",
            Self::Kill => "kill",
            Self::Leave => "leave",
            Self::OpenCall => "open call",
            Self::Down => "down",
            Self::NewCall => "new call",
            Self::Survive => "survive",
            Self::Restart => "restart",
            Self::Rejoin => "rejoin",
            Self::Recount => "recount",
            #[cfg(unix)]
            Self::Freeze => "freeze",
            #[cfg(unix)]
            Self::Cut => "cut",
            #[cfg(unix)]
            Self::Thaw => "thaw",
            Self::Stop => "stop",
            Self::Pair => "pair",
            Self::Expose => "expose",
            Self::Handle => "handle",
            Self::Monitor => "monitor",
            Self::Refuse => "refuse",
            #[cfg(unix)]
            Self::Full => "full",
            #[cfg(unix)]
            Self::Silent => "silent",
            #[cfg(unix)]
            Self::Return => "return",
            Self::Bulk => "bulk",
            Self::Lost => "lost",
            Self::Renew => "renew",
            Self::Part => "part",
            Self::Stranger => "stranger",
            Self::Impostor => "impostor",
            Self::Admit => "admit",
        }
    }
}
