//! Messages as the load generator sends them: 16-byte keys, of which there are
//! 10,000, and 200-byte values.

const KEY_BYTES: usize = 16;
const KEYS: usize = 10_000;
const VALUE_BYTES: usize = 200;
const VALUES: usize = 1024;

/// Keys and values made ahead, handed out in turn.
pub struct MessagePool {
    keys: Vec<[u8; KEY_BYTES]>,
    values: Vec<[u8; VALUE_BYTES]>,
    turn: usize,
}

impl MessagePool {
    pub fn new() -> Self {
        let mut random = 0x9e37_79b9_7f4a_7c15;
        Self {
            keys: (0..KEYS).map(|_| letters(&mut random)).collect(),
            values: (0..VALUES).map(|_| letters(&mut random)).collect(),
            turn: 0,
        }
    }

    pub fn next(&mut self) -> (&[u8], &[u8]) {
        self.turn += 1;
        let key = &self.keys[self.turn % KEYS];
        (key, &self.values[self.turn % VALUES])
    }
}

/// Random letters and digits (xorshift64: nothing rests on its quality).
fn letters<const N: usize>(random: &mut u64) -> [u8; N] {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    std::array::from_fn(|_| {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        LETTERS[(*random % LETTERS.len() as u64) as usize]
    })
}
