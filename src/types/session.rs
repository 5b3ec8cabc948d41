//! The session of a request, as a number.

/// A hash of a session's name, the same in every process: servers that share no store prefer the same upstreams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionHash(u64);

impl SessionHash {
    /// Returns the hash of a session with this name.
    pub fn of(name: &[u8]) -> Self {
        SessionHash(stable_hash(name))
    }

    /// Returns the draw of an upstream for the session, above 0 and below 1. `member` is the stable hash of the upstream's id.
    pub fn draw(self, member: u64) -> f64 {
        const STEPS: f64 = (1_u64 << 53) as f64;
        let mixed = mix(self.0 ^ mix(member));
        ((mixed >> 11) as f64 + 0.5) / STEPS
    }
}

/// Returns a hash that is the same in every process and every build (FNV-1a, then mixed).
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let fnv = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    mix(fnv)
}

/// Spreads every bit over all others (the finalizer of splitmix64).
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_stays_the_same_from_build_to_build() {
        assert_eq!(stable_hash(b"session-1"), stable_hash(b"session-1"));
        assert_eq!(stable_hash(b""), 0xf52a_15e9_a9b5_e89b);
        assert_ne!(SessionHash::of(b"a"), SessionHash::of(b"b"));
    }

    #[test]
    fn draws_are_above_0_and_below_1() {
        for session in [0, 1, u64::MAX] {
            for member in [0, 1, u64::MAX] {
                let draw = SessionHash(session).draw(member);
                assert!(draw > 0.0 && draw < 1.0, "{draw}");
            }
        }
    }
}
