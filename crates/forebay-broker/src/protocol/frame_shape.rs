//! What is offered, and the shapes of its requests, to check a frame before it
//! is decoded: `kafka-protocol` allocates whatever an array's count says, and
//! a count out of nowhere would end the process.

use Field::{Bytes, Fixed, List, Structs, Text};

/// Elements of all arrays of a request together; a thousand topics with a
/// hundred partitions each are fewer.
const MAX_ELEMENTS: usize = 200_000;

/// One API: its versions and its request's shape.
pub(super) struct Api {
    pub(super) key: i16,
    pub(super) min: i16,
    pub(super) max: i16,
    /// First version with compact lengths and tagged fields (KIP-482).
    pub(super) flexible_from: i16,
    shape: &'static [Since],
}

/// A field, and the first version that has it.
struct Since(i16, Field);

enum Field {
    Fixed(usize),
    /// A string, nullable or not.
    Text,
    Bytes,
    /// An array of plain values.
    List(&'static Field),
    /// An array of structures.
    Structs(&'static [Since]),
}

const I8: Since = Since(0, Fixed(1));
const I16: Since = Since(0, Fixed(2));
const I32: Since = Since(0, Fixed(4));
const I64: Since = Since(0, Fixed(8));
const TEXT: Since = Since(0, Text);
const INTS: Since = Since(0, List(&Fixed(4)));

const fn api(key: i16, versions: (i16, i16), flexible_from: i16, shape: &'static [Since]) -> Api {
    Api {
        key,
        min: versions.0,
        max: versions.1,
        flexible_from,
        shape,
    }
}

/// Everything that is offered. Versions end below those with topic ids, and
/// begin where `kafka-protocol` does (KIP-896).
pub(super) const OFFERED: &[Api] = &[
    // Produce
    api(
        0,
        (3, 9),
        9,
        &[
            TEXT,
            I16,
            I32,
            Since(
                0,
                Structs(&[TEXT, Since(0, Structs(&[I32, Since(0, Bytes)]))]),
            ),
        ],
    ),
    // Fetch
    api(
        1,
        (4, 11),
        12,
        &[
            I32,
            I32,
            I32,
            I32,
            I8,
            Since(7, Fixed(8)),
            Since(
                0,
                Structs(&[
                    TEXT,
                    Since(
                        0,
                        Structs(&[I32, Since(9, Fixed(4)), I64, Since(5, Fixed(8)), I32]),
                    ),
                ]),
            ),
            Since(7, Structs(&[TEXT, INTS])),
            Since(11, Text),
        ],
    ),
    // ListOffsets
    api(
        2,
        (1, 7),
        6,
        &[
            I32,
            Since(2, Fixed(1)),
            Since(
                0,
                Structs(&[TEXT, Since(0, Structs(&[I32, Since(4, Fixed(4)), I64]))]),
            ),
        ],
    ),
    // Metadata
    api(
        3,
        (0, 9),
        9,
        &[
            Since(0, Structs(&[TEXT])),
            Since(4, Fixed(1)),
            Since(8, Fixed(2)),
        ],
    ),
    // FindCoordinator
    api(10, (0, 3), 3, &[TEXT, Since(1, Fixed(1))]),
    // ApiVersions
    api(18, (0, 4), 3, &[Since(3, Text), Since(3, Text)]),
    // CreateTopics
    api(
        19,
        (2, 6),
        5,
        &[
            Since(
                0,
                Structs(&[
                    TEXT,
                    I32,
                    I16,
                    Since(0, Structs(&[I32, INTS])),
                    Since(0, Structs(&[TEXT, TEXT])),
                ]),
            ),
            I32,
            I8,
        ],
    ),
    // DeleteTopics
    api(20, (1, 5), 4, &[Since(0, List(&Text)), I32]),
    // DeleteRecords
    api(
        21,
        (0, 2),
        2,
        &[
            Since(0, Structs(&[TEXT, Since(0, Structs(&[I32, I64]))])),
            I32,
        ],
    ),
    // InitProducerId
    api(22, (0, 4), 2, &[TEXT, I32, Since(3, Fixed(10))]),
    // DescribeConfigs
    api(
        32,
        (1, 4),
        4,
        &[
            Since(0, Structs(&[I8, TEXT, Since(0, List(&Text))])),
            I8,
            Since(3, Fixed(1)),
        ],
    ),
    // CreatePartitions
    api(
        37,
        (0, 3),
        2,
        &[
            Since(0, Structs(&[TEXT, I32, Since(0, Structs(&[INTS]))])),
            I32,
            I8,
        ],
    ),
    // IncrementalAlterConfigs
    api(
        44,
        (0, 1),
        1,
        &[
            Since(
                0,
                Structs(&[I8, TEXT, Since(0, Structs(&[TEXT, I8, TEXT]))]),
            ),
            I8,
        ],
    ),
    // DescribeCluster
    api(60, (0, 1), 0, &[I8, Since(1, Fixed(1))]),
];

/// Skips the client id and, of flexible versions, the header's tagged fields.
pub(super) fn skip_header(rest: &mut &[u8], flexible: bool) -> Result<(), &'static str> {
    let mut walk = Walk {
        rest,
        flexible: false,
        version: 0,
        elements: 0,
    };
    walk.field(&Text)?;
    if flexible {
        walk.tags()?;
    }
    *rest = walk.rest;
    Ok(())
}

/// Checks that `body` is a whole request of `api`, and nothing else.
pub(super) fn check(api: &Api, version: i16, body: &[u8]) -> Result<(), &'static str> {
    let flexible = version >= api.flexible_from;
    let mut walk = Walk {
        rest: body,
        flexible,
        version,
        elements: 0,
    };
    walk.structure(api.shape)?;
    if walk.rest.is_empty() {
        Ok(())
    } else {
        Err("bytes after the end")
    }
}

struct Walk<'a> {
    rest: &'a [u8],
    flexible: bool,
    version: i16,
    elements: usize,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Since]) -> Result<(), &'static str> {
        for Since(first, field) in fields {
            if self.version >= *first {
                self.field(field)?;
            }
        }
        if self.flexible { self.tags() } else { Ok(()) }
    }

    fn field(&mut self, field: &Field) -> Result<(), &'static str> {
        match field {
            Fixed(bytes) => self.skip(*bytes),
            Text => {
                let length = if self.flexible {
                    self.compact()?
                } else {
                    self.int16()?
                };
                length.map_or(Ok(()), |length| self.skip(length))
            }
            Bytes => {
                let length = if self.flexible {
                    self.compact()?
                } else {
                    self.int32()?
                };
                length.map_or(Ok(()), |length| self.skip(length))
            }
            List(element) => self.array(|walk| walk.field(element)),
            Structs(fields) => self.array(|walk| walk.structure(fields)),
        }
    }

    fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), &'static str>,
    ) -> Result<(), &'static str> {
        let count = if self.flexible {
            self.compact()?
        } else {
            self.int32()?
        };
        let count = count.unwrap_or(0);
        self.elements = self.elements.saturating_add(count);
        if self.elements > MAX_ELEMENTS {
            return Err("too many elements");
        }
        (0..count).try_for_each(|_| element(self))
    }

    fn tags(&mut self) -> Result<(), &'static str> {
        let count = self.varint()?;
        self.elements = self.elements.saturating_add(count);
        if self.elements > MAX_ELEMENTS {
            return Err("too many tagged fields");
        }
        for _ in 0..count {
            self.varint()?;
            let length = self.varint()?;
            self.skip(length)?;
        }
        Ok(())
    }

    fn skip(&mut self, bytes: usize) -> Result<(), &'static str> {
        self.rest = self.rest.get(bytes..).ok_or("cut short")?;
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or("cut short")?;
        self.rest = tail;
        Ok(*head)
    }

    /// A length; `None` is null.
    fn int16(&mut self) -> Result<Option<usize>, &'static str> {
        length(i16::from_be_bytes(self.take()?).into())
    }

    fn int32(&mut self) -> Result<Option<usize>, &'static str> {
        length(i32::from_be_bytes(self.take()?).into())
    }

    fn compact(&mut self) -> Result<Option<usize>, &'static str> {
        Ok(self.varint()?.checked_sub(1))
    }

    fn varint(&mut self) -> Result<usize, &'static str> {
        let mut value = 0_u32;
        for shift in (0..35).step_by(7) {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f).wrapping_shl(shift);
            if byte & 0x80 == 0 {
                return Ok(value as usize);
            }
        }
        Err("a length without an end")
    }
}

fn length(value: i64) -> Result<Option<usize>, &'static str> {
    match value {
        -1 => Ok(None),
        length => usize::try_from(length)
            .map(Some)
            .map_err(|_| "negative length"),
    }
}
