//! What the deep profile gave, as files and lines: `links.csv` with a line for each site, `faulty_links.csv` with one for each
//! link to mend, `blocking.csv` with the hosts that are in the way in each region and everything below it, those that hold back most
//! schools first. Made only where something was measured.

use std::collections::{BTreeMap, BTreeSet};

use super::Folder;
use super::csv::{cell, table};
use super::format::{duration, percent};
use super::json::FileEntry;
use super::model::{Outline, RegionInfo, Report, SchoolRow};
use super::text::Text;
use super::trail::link_end as end;
use crate::judge::summarise::Standing;
use crate::model::deep::{FaultyLink, FaultyLinks, HostClass, Latencies, Pair, Rate, Spread};
use crate::model::evidence::Owner;
use crate::model::school::RegionCode;

/// Columns of `links.csv`. For each rate four columns.
const LINKS: [&str; 4] = ["domain", "name", "region_code", "region"];
/// The rates, by the beginning of their columns' names.
const RATES: [&str; 6] = ["level2", "level2_external", "level3", "level3_external", "resource_hosts", "resources"];
/// The columns of the samples that follow.
const SAMPLES: [&str; 6] =
    ["success_v6", "samples_v6", "success_v4", "samples_v4", "page_v6_median_ms", "page_v4_median_ms"];
/// The steps that samples time, by the beginning of their columns' names and the end of their labels' keys.
const STEPS: [&str; 4] = ["dns", "tcp", "first_byte", "page"];
/// Columns of `blocking.csv`.
const BLOCKING: [&str; 7] = ["region_code", "region", "host", "class", "dead", "schools", "resources"];

/// Columns of `faulty_links.csv`.
const FAULTY: [&str; 10] = ["domain", "name", "region_code", "region", "level", "owner", "url", "v4", "v6", "leads_to"];

/// The files. Empty: nothing was measured.
pub(super) fn render<F: Folder>(
    report: &Report,
    faulty: &FaultyLinks,
    folder: &mut F,
) -> Result<Vec<FileEntry>, F::Error> {
    let judged = |row: &Outline| matches!(row.standing, Standing::Verdict(_));
    let measured = || report.schools.rows().those(judged).filter(|row| row.deep.is_measured());
    if measured().next().is_none() {
        return Ok(Vec::new());
    }
    let mut columns: Vec<String> = LINKS.iter().map(|name| (*name).to_owned()).collect();
    for rate in RATES {
        columns.extend(["supported", "judged", "found", "capped"].map(|part| format!("{rate}_{part}")));
    }
    columns.extend(SAMPLES.iter().map(|name| (*name).to_owned()));
    columns.extend(["resources_weighted_pct", "scripts"].map(str::to_owned));
    columns.extend(time_columns());
    let links = |row| links(&row);
    let faulty = |row| faulty_links(&row, faulty);
    Ok(vec![
        folder.stream("links.csv", &|out| table(out, &columns, measured().map(links)))?,
        folder.stream("faulty_links.csv", &|out| table(out, &FAULTY, measured().flat_map(faulty)))?,
        folder.stream("blocking.csv", &|out| table(out, &BLOCKING, blocking(report, measured()).into_iter()))?,
    ])
}

fn links(row: &SchoolRow) -> Vec<String> {
    let domain = row.domain.as_ref().map(|key| cell(key.as_str())).unwrap_or_default();
    let mut cells = vec![domain, cell(row.name), cell(&row.region.0), cell(row.region_name)];
    let (links, skylight) = (row.deep.links.as_deref(), row.deep.skylight.as_ref());
    let rates = [
        links.map(|links| links.level2),
        links.map(|links| links.level2_external),
        links.map(|links| links.level3),
        links.map(|links| links.level3_external),
        skylight.map(|skylight| skylight.hosts),
        skylight.map(|skylight| skylight.resources),
    ];
    for rate in rates {
        cells.extend(match rate {
            Some(rate) => [
                rate.supported.to_string(),
                rate.judged.to_string(),
                rate.found.to_string(),
                if rate.capped { "yes" } else { "no" }.to_owned(),
            ],
            None => Default::default(),
        });
    }
    let samples = row.deep.latencies.as_deref();
    let count =
        |pick: fn((u32, u32)) -> u32, of: Option<(u32, u32)>| of.map(|of| pick(of).to_string()).unwrap_or_default();
    for of in [samples.map(|samples| samples.success6), samples.map(|samples| samples.success4)] {
        cells.extend([count(|(good, _)| good, of), count(|(_, all)| all, of)]);
    }
    let page = samples.map(|samples| samples.page);
    for spread in [page.and_then(|page| page.v6), page.and_then(|page| page.v4)] {
        cells.push(spread.map(|spread| (spread.median_us / 1000).to_string()).unwrap_or_default());
    }
    let weighted = skylight.and_then(|skylight| skylight.weighted);
    cells.push(weighted.map(|share| format!("{:.2}", share * 100.0)).unwrap_or_default());
    cells.push(skylight.map(|skylight| skylight.scripts.to_string()).unwrap_or_default());
    cells.extend(times(samples));
    cells
}

/// Times of each step: median and quartiles over either family, and the degradation. The page's medians stand before.
fn time_columns() -> Vec<String> {
    let mut columns = Vec::new();
    for step in STEPS {
        let parts: &[&str] = if step == "page" { &["q1", "q3"] } else { &["median", "q1", "q3"] };
        for family in ["v6", "v4"] {
            columns.extend(parts.iter().map(|part| format!("{step}_{family}_{part}_ms")));
        }
        columns.push(format!("{step}_degradation_pct"));
    }
    columns
}

/// The cells of [`time_columns`].
fn times(samples: Option<&Latencies>) -> Vec<String> {
    let mut cells = Vec::new();
    for (step, pair) in STEPS.into_iter().zip(pairs(samples)) {
        for spread in [pair.v6, pair.v4] {
            let ms = |us: fn(Spread) -> u64| {
                spread.map(|spread| format!("{:.1}", us(spread) as f64 / 1000.0)).unwrap_or_default()
            };
            if step != "page" {
                cells.push(ms(|spread| spread.median_us));
            }
            cells.extend([ms(|spread| spread.quartiles_us.0), ms(|spread| spread.quartiles_us.1)]);
        }
        cells.push(pair.degradation.map(|ratio| format!("{:.1}", ratio * 100.0)).unwrap_or_default());
    }
    cells
}

/// The pairs of [`STEPS`], empty where nothing was measured.
fn pairs(samples: Option<&Latencies>) -> [Pair; 4] {
    samples.map(|of| [of.dns, of.tcp, of.first_byte, of.page]).unwrap_or_default()
}

fn faulty_links(row: &SchoolRow, faulty: &FaultyLinks) -> Vec<Vec<String>> {
    let Some(site) = &row.domain else { return Vec::new() };
    let line = |link: &FaultyLink| {
        let owner = match link.owner {
            _ if link.intranet => "intranet",
            Owner::Internal => "internal",
            Owner::External => "external",
        };
        let text = [site.as_str(), row.name, &row.region.0, row.region_name].map(cell);
        let rest = [&link.url, &end(&link.v4), &end(&link.v6), link.leads_to.as_deref().unwrap_or_default()].map(cell);
        let [url, v4, v6, leads_to] = rest;
        text.into_iter().chain([link.level.to_string(), owner.to_owned(), url, v4, v6, leads_to]).collect()
    };
    faulty.of(site).iter().map(line).collect()
}

/// What is known of a host that is in the way in one region.
struct InTheWay {
    class: HostClass,
    dead: bool,
    schools: BTreeSet<usize>,
    resources: u32,
}

/// One line for each region and host, the schools of regions below it among them.
fn blocking<'a>(report: &Report, rows: impl Iterator<Item = SchoolRow<'a>>) -> Vec<Vec<String>> {
    let known: BTreeMap<&RegionCode, &RegionInfo> = report.regions.iter().map(|info| (&info.code, info)).collect();
    let mut names: BTreeMap<RegionCode, String> =
        known.iter().map(|(code, info)| ((*code).clone(), info.name.clone())).collect();
    let mut hosts: BTreeMap<(RegionCode, String), InTheWay> = BTreeMap::new();
    for row in rows {
        names.entry(row.region.clone()).or_insert_with(|| row.region_name.to_owned());
        for host in row.deep.skylight.iter().flat_map(|skylight| &skylight.blocking) {
            for region in lineage(row.region, &known) {
                let blank = || InTheWay { class: host.class, dead: host.dead, schools: BTreeSet::new(), resources: 0 };
                let in_the_way = hosts.entry((region.clone(), host.host.clone())).or_insert_with(blank);
                in_the_way.schools.insert(row.school);
                in_the_way.resources += host.resources;
            }
        }
    }
    let mut sorted: Vec<_> = hosts.into_iter().collect();
    // Stable: hosts of equal weight stay in the order of their names.
    sorted.sort_by(|((one, _), a), ((other, _), b)| one.cmp(other).then(b.schools.len().cmp(&a.schools.len())));
    let line = |((region, host), in_the_way): ((RegionCode, String), InTheWay)| {
        vec![
            cell(&region.0),
            cell(names.get(&region).map_or("", String::as_str)),
            cell(&host),
            in_the_way.class.name().to_owned(),
            if in_the_way.dead { "yes" } else { "no" }.to_owned(),
            in_the_way.schools.len().to_string(),
            in_the_way.resources.to_string(),
        ]
    };
    sorted.into_iter().map(line).collect()
}

/// A region and everything above it. A list whose parents run in a circle is walked once round.
fn lineage<'a>(start: &'a RegionCode, known: &BTreeMap<&RegionCode, &'a RegionInfo>) -> BTreeSet<&'a RegionCode> {
    let mut line = BTreeSet::new();
    let mut next = Some(start);
    while let Some(code) = next.filter(|code| line.insert(*code)) {
        next = known.get(code).and_then(|info| info.parent.as_ref());
    }
    line
}

/// Lines of a school on its region's page: key of the label, and text.
pub(super) fn lines(row: &SchoolRow, text: &Text) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(links) = &row.deep.links {
        lines.push(("s.level2", rate(links.level2, text)));
        lines.push(("s.level3", rate(links.level3, text)));
    }
    if let Some(skylight) = &row.deep.skylight {
        let mut line = rate(skylight.hosts, text);
        line = format!("{line} · {}", text.fill("s.resources", &[("share", &rate(skylight.resources, text))]));
        if let Some(weighted) = skylight.weighted {
            let share = format!("{:.2}", weighted * 100.0);
            line = format!("{line} · {}", text.fill("s.weighted", &[("percent", &share)]));
        }
        let named: Vec<&str> = skylight.blocking.iter().take(5).map(|host| host.host.as_str()).collect();
        if !named.is_empty() {
            line = format!("{line} · {}", named.join(text.w("sep")));
        }
        if skylight.scripts > 0 {
            line = format!("{line} · {}", text.w("s.scripts"));
        }
        lines.push(("s.skylight", line));
    }
    if let Some(latencies) = &row.deep.latencies {
        let ((good6, all6), (good4, all4)) = (latencies.success6, latencies.success4);
        lines.push(("s.samples", format!("IPv6 {good6} / {all6} · IPv4 {good4} / {all4}")));
        let labels = ["s.time.dns", "s.time.tcp", "s.time.first_byte", "s.time.page"];
        let timed = labels.into_iter().zip(pairs(Some(latencies)));
        lines.extend(timed.filter_map(|(label, pair)| Some((label, time(&pair, text)?))));
    }
    if let Some(mail) = &row.mail {
        let mut line = text.w(&format!("s.mail.{}", mail.state.name())).to_owned();
        if mail.hosts.found > 0 {
            line = format!("{line} · {}", rate(mail.hosts, text));
        }
        lines.push(("s.mail", line));
    }
    lines
}

/// Median and quartiles over both families, and how much slower IPv6 is. None: it was measured over neither.
fn time(pair: &Pair, text: &Text) -> Option<String> {
    if pair.v4.is_none() && pair.v6.is_none() {
        return None;
    }
    let shown = |spread: Option<Spread>| match spread {
        Some(Spread { n, median_us, quartiles_us: (first, third) }) => {
            format!("{} ({}–{}, n={n})", duration(median_us), duration(first), duration(third))
        }
        None => "–".to_owned(),
    };
    let degradation = match pair.degradation {
        None => text.w("s.time.few").to_owned(),
        Some(0.0) => text.w("s.time.equal").to_owned(),
        Some(ratio) => text.fill("s.time.degradation", &[("percent", &format!("{:+.1}", ratio * 100.0))]),
    };
    Some(format!("IPv6 {} · IPv4 {} · {degradation}", shown(pair.v6), shown(pair.v4)))
}

/// `15 / 20 (75.00 %)`, how many there are where that is more, and that only a part was looked at.
fn rate(rate: Rate, text: &Text) -> String {
    let Some(percent) = percent(rate.supported.into(), rate.judged.into()) else {
        return text.fill("s.rate.none", &[("found", &rate.found.to_string())]);
    };
    let mut shown = format!("{} / {} ({percent}%)", rate.supported, rate.judged);
    if rate.found > rate.judged {
        shown = format!("{shown} · {}", text.fill("s.rate.found", &[("found", &rate.found.to_string())]));
    }
    if rate.capped {
        shown = format!("{shown} · {}", text.w("s.rate.capped"));
    }
    shown
}
