//! Stored evidence comes back as it was, and bytes that are none are refused within bounds.
//!
//! Input: a byte, then by its last two bits: JSON of an observation; JSON of one stored record; a zlib stream as it stands
//! in the database; or JSON of an observation that is changed after packing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use v6ready::judge::{Criteria, assess};
use v6ready::model::evidence::Observation;
use v6ready::model::run::{RunId, Vantage};
use v6ready::store::fuzzing::{LIMIT, digest, pack, record, unpack};

/// Small, so that a small input can go beyond it.
const SMALL: u64 = 4096;

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = data.split_first() else { return };
    match how % 4 {
        0 => comes_back(bytes, None),
        1 => {
            // What is read is written and read again as the same.
            if let Ok((site, round)) = record(bytes) {
                let observation = Observation { version: 1, site, rounds: vec![round] };
                comes_back(&serde_json::to_vec(&observation).expect("JSON"), None);
            }
        }
        2 => {
            let place = ["run", "site", "1"];
            // The right hash is not known beforehand, so the first answer is about the stream alone.
            match unpack(&place, bytes, &[0; 32], SMALL) {
                Ok(_) => panic!("a wrong hash was believed"),
                Err(why) if why == "the hash does not match" => {
                    let json = inflate(bytes);
                    assert!(json.len() as u64 <= SMALL);
                    assert_eq!(unpack(&place, bytes, &digest(&place, &json), SMALL).as_ref(), Ok(&json));
                    let _ = record(&json);
                }
                Err(_) => {}
            }
        }
        _ => {
            if let Some((flip, bytes)) = bytes.split_first() {
                comes_back(bytes, Some(*flip));
            }
        }
    }
});

/// The whole stream, by another way.
fn inflate(bytes: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut json = Vec::new();
    flate2::read::ZlibDecoder::new(bytes).take(SMALL + 1).read_to_end(&mut json).expect("it was read before");
    json
}

fn comes_back(json: &[u8], flip: Option<u8>) {
    let Ok(observation) = serde_json::from_slice::<Observation>(json) else { return };
    let run = RunId("run".to_owned());
    for round in &observation.rounds {
        let number = round.number.to_string();
        let place = [run.0.as_str(), observation.site.key.as_str(), number.as_str()];
        let (mut body, sha256) = pack(&run, &observation.site, round).expect("evidence is JSON");
        if let Some(flip) = flip {
            let at = usize::from(flip) * body.len() / 256;
            body[at] ^= 1 << (flip % 8);
        }
        match unpack(&place, &body, &sha256, LIMIT) {
            Ok(json) => {
                let (site, again) = record(&json).expect("what was written can be read");
                assert_eq!((&site, &again), (&observation.site, round));
                let (_, twice) = pack(&run, &site, &again).expect("evidence is JSON");
                assert_eq!(twice, sha256, "written otherwise the second time");
            }
            Err(why) => assert!(flip.is_some(), "{why}"),
        }
        assert!(unpack(&["run", observation.site.key.as_str(), "other"], &body, &sha256, LIMIT).is_err());
    }
    if !observation.rounds.is_empty() {
        // Whatever was stored has a verdict, and the same one each time.
        let vantage = Vantage {
            name: String::new(),
            isp: None,
            resolvers: Vec::new(),
            proofs: Vec::new(),
            dns_proofs: Vec::new(),
            clock: None,
        };
        let assessment = assess(&observation, &vantage, &Criteria::default());
        assert_eq!(assessment, assess(&observation, &vantage, &Criteria::default()));
    }
}
