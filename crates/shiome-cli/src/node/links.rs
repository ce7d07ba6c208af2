//! How the node speaks to others, and what it lets strangers do.

use std::time::Duration;

use shiome::{Builder, session::Config, transport::limits::Limits};

use super::settings::{Admission, Sessions};

impl Sessions {
    pub(super) fn apply(&self, builder: Builder) -> Builder {
        let builder = builder.session(self.config());
        match (self.require_native, self.legacy_only) {
            (Some(true), _) => builder.require_native(),
            (_, Some(true)) => builder.legacy_only(),
            _ => builder,
        }
    }

    fn config(&self) -> Config {
        const MIB: usize = 1024 * 1024;
        let mut config = Config::default();
        if let Some(secs) = self.liveness {
            config.liveness_timeout = Duration::from_secs(secs.get());
        }
        if let Some(mib) = self.max_outbox {
            // Whoever has no address for so much has no memory for it.
            config.max_outbox = mib.get::<usize>().saturating_mul(MIB);
        }
        config
    }
}

impl Admission {
    pub(super) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        let counts = [
            (
                &mut limits.max_unauthenticated,
                self.max_unauthenticated.map(|n| n.get()),
            ),
            (
                &mut limits.max_unauthenticated_per_source,
                self.max_unauthenticated_per_source.map(|n| n.get()),
            ),
            (
                &mut limits.max_remembered,
                self.max_remembered.map(|n| n.get()),
            ),
        ];
        for (limit, told) in counts {
            *limit = told.unwrap_or(*limit);
        }
        let times = [
            (&mut limits.first_penalty, self.first_penalty),
            (&mut limits.longest_penalty, self.longest_penalty),
            (&mut limits.memory, self.memory),
        ];
        for (limit, told) in times {
            *limit = told.map_or(*limit, |secs| Duration::from_secs(secs.get()));
        }
        if let Some(failures) = self.max_free_failures {
            limits.max_free_failures = failures.get();
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_as_by_default() {
        let (told, default) = (Sessions::default().config(), Config::default());
        assert_eq!(told.liveness_timeout, default.liveness_timeout);
        assert_eq!(told.max_outbox, default.max_outbox);
        assert_eq!(Admission::default().limits(), Limits::default());
    }

    #[test]
    fn what_is_told_holds() {
        let sessions: Sessions = toml::from_str("liveness = 60\nmax-outbox = 1").unwrap();
        let told = sessions.config();
        assert_eq!(told.liveness_timeout, Duration::from_secs(60));
        assert_eq!(told.max_outbox, 1024 * 1024);

        let admission: Admission = toml::from_str(
            "max-unauthenticated = 1\nmax-unauthenticated-per-source = 2\nmax-free-failures = 0\nfirst-penalty = 3\n\
             longest-penalty = 4\nmemory = 5\nmax-remembered = 6",
        )
        .unwrap();
        let told = admission.limits();
        assert_eq!(
            (
                told.max_unauthenticated,
                told.max_unauthenticated_per_source
            ),
            (1, 2)
        );
        assert_eq!((told.max_free_failures, told.max_remembered), (0, 6));
        let times = [told.first_penalty, told.longest_penalty, told.memory];
        assert_eq!(times.map(|time| time.as_secs()), [3, 4, 5]);
    }
}
