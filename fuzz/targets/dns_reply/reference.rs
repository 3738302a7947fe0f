//! A DNS message read in another way than the program's: straight from RFC 1035 §4.1, RFC 3596 and RFC 2308, without a
//! library. Knows only what the target compares.

/// Names are lists of labels, in lower case.
pub type Name = Vec<Vec<u8>>;

pub const CNAME: u16 = 5;
pub const SOA: u16 = 6;

/// One resource record.
pub struct Record {
    pub owner: Name,
    pub kind: u16,
    pub class: u16,
    pub data: Vec<u8>,
    /// The name that the data begins with, for the kinds that begin with one.
    pub target: Option<Name>,
}

/// A message.
pub struct Message {
    pub rcode: u8,
    pub questions: Vec<(Name, u16, u16)>,
    pub answers: Vec<Record>,
    pub authorities: Vec<Record>,
}

/// Reads a message as far as the authority section. None: it ends too early, or a name has no end.
pub fn read(bytes: &[u8]) -> Option<Message> {
    let count = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let mut at = 12;
    let mut questions = Vec::new();
    for _ in 0..count(4)? {
        let name = name(bytes, &mut at)?;
        questions.push((name, count(at)?, count(at + 2)?));
        at += 4;
    }
    let mut section = |records: u16| (0..records).map(|_| record(bytes, &mut at)).collect::<Option<Vec<_>>>();
    let (answers, authorities) = (section(count(6)?)?, section(count(8)?)?);
    Some(Message { rcode: bytes[3] & 15, questions, answers, authorities })
}

fn record(bytes: &[u8], at: &mut usize) -> Option<Record> {
    let owner = name(bytes, at)?;
    let fixed = bytes.get(*at..*at + 10)?;
    let number = |from: usize| u16::from_be_bytes([fixed[from], fixed[from + 1]]);
    let (begin, end) = (*at + 10, *at + 10 + usize::from(number(8)));
    *at = end;
    let data = bytes.get(begin..end)?.to_vec();
    let target = name(bytes, &mut begin.clone());
    Some(Record { owner, kind: number(0), class: number(2), data, target })
}

/// A name with compression (RFC 1035 §4.1.4); `at` is left behind it.
fn name(bytes: &[u8], at: &mut usize) -> Option<Name> {
    let (mut labels, mut here, mut jumped, mut length) = (Vec::new(), *at, false, 0);
    loop {
        let head = *bytes.get(here)?;
        match head >> 6 {
            0 => {
                here += 1;
                let label = bytes.get(here..here + usize::from(head))?;
                here += label.len();
                length += label.len() + 1;
                if !jumped {
                    *at = here;
                }
                if label.is_empty() {
                    return Some(labels);
                }
                if length > 255 {
                    return None;
                }
                labels.push(label.to_ascii_lowercase());
            }
            3 => {
                let to = usize::from(u16::from_be_bytes([head & 63, *bytes.get(here + 1)?]));
                if !jumped {
                    *at = here + 2;
                }
                // Only backwards, so there is an end.
                if to >= here {
                    return None;
                }
                (here, jumped) = (to, true);
            }
            _ => return None,
        }
    }
}

/// How a name stands in the evidence, as far as its labels need no escape. None: they do.
pub fn text(name: &Name) -> Option<String> {
    if name.is_empty() {
        return Some(".".to_owned());
    }
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !name.iter().flatten().all(plain) {
        return None;
    }
    let labels: Vec<_> = name.iter().map(|label| String::from_utf8_lossy(label)).collect();
    Some(labels.join("."))
}

impl Message {
    /// The aliases from a name, in order: at each step the first one counts. None: they have no end.
    pub fn chain<'a>(&'a self, start: &'a Name, longest: usize) -> Option<Vec<&'a Name>> {
        let (mut seen, mut at) = (vec![start], start);
        while let Some(next) = self.answers.iter().find(|record| record.is(at, CNAME)) {
            at = next.target.as_ref()?;
            if seen.contains(&at) || seen.len() > longest {
                return None;
            }
            seen.push(at);
        }
        Some(seen)
    }

    /// The data of the records of a kind at a name.
    pub fn at(&self, owner: &Name, kind: u16) -> Vec<&[u8]> {
        self.answers.iter().filter(|record| record.is(owner, kind)).map(|record| record.data.as_slice()).collect()
    }
}

impl Record {
    /// In the class of the Internet.
    pub fn is(&self, owner: &Name, kind: u16) -> bool {
        self.owner == *owner && self.kind == kind && self.class == 1
    }
}
